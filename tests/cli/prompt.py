"""Runs a command on a terminal of its own: waits for each prompt, types the line that belongs to it.

prompt.py PROMPT=LINE... -- COMMAND...
Prints all that the terminal showed; ends with the command's exit code.
"""

import os
import pty
import sys

split = sys.argv.index("--")
answers = [argument.split("=", 1) for argument in sys.argv[1:split]]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[split + 1], sys.argv[split + 1 :])

shown = b""
rest = b""
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:  # The command has ended.
        break
    if not read:
        break
    shown += read
    rest += read
    while answers and answers[0][0].encode() in rest:
        prompt, line = answers.pop(0)
        rest = rest.split(prompt.encode(), 1)[1]
        os.write(terminal, line.encode())

status = os.waitpid(pid, 0)[1]
sys.stdout.buffer.write(shown)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
