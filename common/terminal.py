def say(line, file=None): print(line, file=file, flush=True)
