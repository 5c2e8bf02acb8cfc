"""What the documents promise, commands that run and links that lead somewhere; and one style in all files."""

import ast
import glob
import importlib
import os
import re
import shlex
import subprocess
import sys

import pytest

from common.scripts import ROOT

DOCUMENTS = sorted(os.path.relpath(path, ROOT) for pattern in ('*.md', 'docs/*.md', 'pretrained/*.md')
                   for path in glob.glob(os.path.join(ROOT, pattern)))


def calls(text):
    """[(script, arguments)] of `python SCRIPT.py ...`, `%run SCRIPT.py ...` and `SCRIPT.main([...])` in a document."""
    found = []
    for line in text.replace(' MODEL', ' cgan').splitlines():
        for part in re.split(r' && |`', re.sub(r'\s+# .*|\$\(.*?\)', '', line)):
            if match := re.match(r'\s*(?:\S*/)?(?:python3?|py|%run|!python) (\w+)\.py\b(.*)', part):
                found.append((match[1], shlex.split(match[2])))
            elif match := re.search(r'(\w+)\.main\((\[.*\])\)', part):
                found.append((match[1], ast.literal_eval(match[2])))
    return found


@pytest.mark.parametrize('name', DOCUMENTS)
def test_links_lead_to_files_and_commands_are_what_the_scripts_take(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        text = file.read()
    targets = re.findall(r'\]\(([^)\s]+)\)', re.sub('`[^`]*`', '', text))
    assert not [target for target in targets if not re.match('https?://|#', target) and not os.path.exists(
        os.path.join(ROOT, os.path.dirname(name), target.partition('#')[0]))]
    for script, arguments in calls(text):
        try:
            importlib.import_module(script).parser().parse_args(arguments)
        except SystemExit as stop:
            assert not stop.code, f'{script}.py does not take {arguments}'


def test_ruff_finds_nothing():
    result = subprocess.run([sys.executable, '-m', 'ruff', 'check', '--no-cache', ROOT], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
