"""What the documents promise: commands that run, links that lead somewhere, functions that are there."""

import ast
import glob
import importlib
import os
import re
import shlex

import pytest

from common.scripts import ROOT, SCRIPTS

DOCUMENTS = sorted(os.path.relpath(path, ROOT) for pattern in ('*.md', 'docs/*.md', 'pretrained/*.md')
                   for path in glob.glob(os.path.join(ROOT, pattern)))
# Listings in each of the chapter's sections, in its order.
LISTINGS = (15, 9, 9, 13)
# The functions that the chapter defines.
OF_THE_CHAPTER = {'load_dataset', 'display_images', 'dense', 'generator', 'discriminator', 'gen_batches', 'conv2d',
                  'transpose_conv2d', 'batch_norm', 'load_dataset_pad', 'load_dataset_label', 'gen_batches_label',
                  'gen_condition_variable'}


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as file:
        return file.read()


def commands(text):
    """The lines of a document's blocks of code, indented or fenced, without their comments."""
    fence = re.compile(r'^```\w*\n(.*?)^```', re.MULTILINE | re.DOTALL)
    indented = re.findall(r'^ {4}(\S.*)', fence.sub('', text), re.MULTILINE)
    lines = indented + [line for block in fence.findall(text) for line in block.splitlines()]
    return [re.sub(r'\s+# .*', '', line).strip() for line in lines]


def calls(text):
    """[(script, arguments)] of a document: python SCRIPT ..., %run SCRIPT ... and module.main([...])."""
    found = []
    for line in commands(text.replace(' MODEL', ' cgan')):
        for part in line.split(' && '):
            if match := re.match(r'(?:\S*/)?(?:python3?|%run) (\w+)\.py\b(.*)', part):
                found.append((match[1], shlex.split(match[2])))
            elif match := re.search(r'(\w+)\.main\((\[.*\])\)', part):
                found.append((match[1], ast.literal_eval(match[2])))
    return found


def rows(text):
    """The rows of a document's tables, each a list of cells."""
    return [[cell.strip() for cell in line.strip().strip('|').split('|')]
            for line in text.splitlines() if line.startswith('|')]


def code_names(cell):
    """The names in a cell that stand as code, without those of files."""
    return [name for name in re.findall(r'`([^`]+)`', cell) if name.isidentifier()]


def defined_in(path):
    return {node.name for node in ast.parse(read(path)).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}


def listing_table(name):
    """[(section, first listing, last listing, functions, file)] of a document that goes through the chapter."""
    found, section = [], -1
    for line in read(name).splitlines():
        if re.match('##+ (香草甘氨酸|深度卷积 GAN|条件 GAN|InfoGAN)', line):
            section += 1
        if match := re.match(r'\| (\d+)(?: (?:to|至) (\d+))? \|.*\| (.+) \| \[.*\]\((?:\.\./)?(\S+\.py)\) \|$', line):
            names = [word for word in code_names(match[3]) if word not in ('sample_y', 'sample_c')]
            found.append((section, int(match[1]), int(match[2] or match[1]), tuple(names), match[4]))
    return found


def test_readme_is_read_to_its_end():
    assert len(read('README.md').splitlines()) <= 130


@pytest.mark.parametrize('name', DOCUMENTS)
def test_every_link_and_picture_leads_to_a_file(name):
    targets = re.findall(r'\]\(([^)\s]+)\)', re.sub('`[^`]*`', '', read(name)))
    missing = [target for target in targets if not re.match('https?://|#', target) and not os.path.exists(
        os.path.join(ROOT, os.path.dirname(name), target.partition('#')[0]))]
    assert not missing


@pytest.mark.parametrize('name', DOCUMENTS)
def test_every_link_into_a_document_leads_to_a_heading(name):
    for target, heading in re.findall(r'\]\((?!http)([^)\s#]*)#([^)\s]+)\)', read(name)):
        document = os.path.normpath(os.path.join(os.path.dirname(name), target)) if target else name
        headings = [re.sub(r'[^\w\- ]', '', line.lstrip('# ').lower()).replace(' ', '-')
                    for line in read(document).splitlines() if line.startswith('#')]
        assert heading in headings, f'{target}#{heading}'


@pytest.mark.parametrize('name', DOCUMENTS)
def test_every_command_is_one_that_its_program_takes(name):
    for script, arguments in calls(read(name)):
        try:
            importlib.import_module(script).parser().parse_args(arguments)
        except SystemExit as stop:
            assert not stop.code, f'{script}.py does not take {arguments}'


@pytest.mark.parametrize('name', DOCUMENTS)
def test_every_package_that_is_run_is_there(name):
    for package in re.findall(r'python -m ((?:benchmark|after_training)[\w.]*)', read(name)):
        path = os.path.join(ROOT, *package.split('.'))
        assert os.path.exists(path + '.py') or os.path.exists(os.path.join(path, '__main__.py')), package


def test_the_readme_has_a_command_for_each_model():
    assert {script for script, _ in calls(read('README.md'))} >= set(SCRIPTS.values())


def test_both_readmes_give_the_same_commands():
    assert commands(read('README.md')) == commands(read('README.zh-CN.md')) != []


@pytest.mark.parametrize('name', ['README.md', 'README.zh-CN.md'])
def test_the_epochs_in_the_table_of_scripts_are_the_defaults(name):
    epochs = {row[0].strip('`'): int(row[3]) for row in rows(read(name)) if re.fullmatch(r'`\w+\.py`', row[0])}
    assert epochs == {f'{script}.py': importlib.import_module(script).parser().parse_args([]).epochs
                      for script in SCRIPTS.values()}


@pytest.mark.parametrize('name', ['docs/reading.md', 'README.zh-CN.md'])
def test_every_listing_has_its_function(name):
    table = listing_table(name)
    for section, number_of_listings in enumerate(LISTINGS):
        listed = [i for where, first, last, _, _ in table if where == section for i in range(first, last + 1)]
        assert listed == list(range(1, number_of_listings + 1))
    for _, _, _, functions, file in table:
        assert functions and set(functions) <= defined_in(file), f'{functions} in {file}'
    assert {function for row in table for function in row[3]} >= OF_THE_CHAPTER


def test_both_tables_of_listings_name_the_same_functions():
    assert listing_table('docs/reading.md') == listing_table('README.zh-CN.md')


def test_the_table_of_the_readme_names_functions_that_are_there():
    scripts = ('vanilla_gan.py', 'dcgan.py', 'cgan.py', 'infogan.py')
    named = set()
    for row in rows(read('README.md')):
        if len(row) != 2 + len(scripts):
            continue
        shared = re.search(r'\]\((common/\w+\.py)\)', row[1])
        for script, cell in zip(scripts, row[2:]):
            assert set(code_names(cell)) <= defined_in(shared[1] if shared else script), f'{cell} in {row[0]}'
            named |= set(code_names(cell))
    assert named >= OF_THE_CHAPTER | {'build_graph', 'information_loss', 'sample_condition', 'train'}


def test_the_first_line_with_pytest_sets_up_and_runs_the_tests():
    line = next(line for line in read('README.md').splitlines() if '-m pytest' in line)
    assert line.strip() == ('python3 -m venv .venv && .venv/bin/pip install -r requirements.txt '
                            '-r tests/requirements.txt && .venv/bin/python -m pytest tests')
