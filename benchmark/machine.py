"""What a reader must know of this machine to compare with another."""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import os
import platform
import re


def count_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def describe_machine():
    """Processor, system, versions, load and date, a dict for the JSON."""
    name, flags = platform.processor() or platform.machine(), []
    with contextlib.suppress(OSError, TypeError), open('/proc/cpuinfo') as file:
        text = file.read()
        name = re.search(r'model name\s*: (.*)', text)[1]
        flags = sorted(set(re.findall(r'\b(?:avx\w*|fma|amx\w*|f16c)\b', text)))
    versions = {package: importlib.metadata.version(package) for package in ('tensorflow', 'numpy', 'torch')
                if importlib.util.find_spec(package)}
    return {'cpu': name, 'cores': count_cores(), 'flags': flags, 'system': platform.platform(),
            'python': platform.python_version(), **versions,
            'onednn_max_cpu_isa': os.environ.get('ONEDNN_MAX_CPU_ISA'),
            'load_before': os.getloadavg()[0] if hasattr(os, 'getloadavg') else None,
            'date': datetime.datetime.now().isoformat(timespec='seconds')}


def memory_mb(peak=True, pid='self'):
    """Memory of a process in MB (10^6 bytes), its highest so far or its present; None where the system has no /proc."""
    try:
        with open(f'/proc/{pid}/status') as file:
            return int(re.search(rf'Vm{"HWM" if peak else "RSS"}:\s*(\d+) kB', file.read())[1]) * 1024 / 1e6
    except (OSError, TypeError):
        return None
