"""Whether this CPU can compute in bfloat16, the number format of --mixed-precision.

Without instructions for it, oneDNN's kernels either end the process (AVX2 and
below: 'could not create a primitive descriptor') or imitate bfloat16, with a
DCGAN step that takes twice as long as in float32 (AVX-512): so this is asked first.
"""

import os
import re

# What Linux calls the instructions: AVX-512's, those of the tile unit AMX.
INSTRUCTIONS = {'avx512_bf16', 'amx_bf16'}
# The kinds of CPU below that oneDNN can be told to use at most (its manual, 'CPU dispatcher control').
WITHOUT = ('SSE41', 'AVX', 'AVX2', 'AVX2_VNNI', 'AVX2_VNNI_2', 'AVX512_CORE', 'AVX512_CORE_VNNI')


def bfloat16_missing(cpuinfo=None, environment=os.environ):
    """
    Why --mixed-precision cannot be used here
    @param cpuinfo: text like that of /proc/cpuinfo; None: that of this machine
    @param environment: the process's environment variables
    @return: a sentence, or None where it can be used
    """
    if cpuinfo is None:
        try:
            with open('/proc/cpuinfo') as file:
                cpuinfo = file.read()
        except OSError:
            return 'it is not known whether this processor computes in bfloat16: leave out --mixed-precision'
    flags = re.search(r'^flags\s*:(.*)$', cpuinfo, re.MULTILINE)
    if not flags or not INSTRUCTIONS & set(flags[1].split()):
        return 'this processor has no instructions for bfloat16 (AVX-512 BF16 or AMX): leave out --mixed-precision'
    for name in ('ONEDNN_MAX_CPU_ISA', 'DNNL_MAX_CPU_ISA'):
        if value := environment.get(name):  # the second is only read where the first is not set
            if value.upper() in WITHOUT:
                return f'{name}={value} leaves no instructions for bfloat16: leave it or --mixed-precision out'
            break
    onednn = environment.get('TF_ENABLE_ONEDNN_OPTS', '1')
    if onednn.lower() in ('0', 'false'):
        return f'TF_ENABLE_ONEDNN_OPTS={onednn} turns off what computes in bfloat16: leave it or --mixed-precision out'
    return None
