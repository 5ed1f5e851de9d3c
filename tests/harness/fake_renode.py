"""Stands in for `renode` where its start, its end and its Monitor are tested: the same words, no emulation.

UART0 answers each byte with its successor. FAKE_RENODE holds words that make it misbehave.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

MOODS = os.environ.get("FAKE_RENODE", "").split()
TAKEN_PORTS = 9 if "no-port" in MOODS else 1 if "port-taken" in MOODS else 0


def answer(server: socket.socket) -> None:
    """Every byte, plus one; 0xff is the last that it lives to see."""
    line, _ = server.accept()
    while data := line.recv(4096):
        if 0xFF in data:
            print("Fatal error: the reason", flush=True)
            os._exit(7)
        line.sendall(bytes(byte + 1 for byte in data))


def run(command: str) -> None:
    """One line of the Monitor."""
    global TAKEN_PORTS
    if found := re.fullmatch(r'echo "(.*)"', command):
        print(found[1])
    elif found := re.fullmatch(r'emulation CreateServerSocketTerminal (\d+) "terminal" false', command):
        server = socket.socket()
        taken, TAKEN_PORTS = TAKEN_PORTS > 0, TAKEN_PORTS - 1
        if taken:
            print(f"There was an error executing command '{command}'")
            print(f"Unable to create '0.0.0.0:{found[1]}' socket:[AddressAlreadyInUse] Address already in use")
        else:
            server.bind(("127.0.0.1", int(found[1])))
            server.listen()
            threading.Thread(target=answer, args=(server,), daemon=True).start()
    elif found := re.fullmatch(r"logFile @(\S+) true", command.replace("\\ ", "\0")):
        with open(found[1].replace("\0", " "), "x") as log:
            log.write("the log's last line\n")
    elif command == "include @image.resc":
        assert os.path.exists("firmware.elf")
        print("No such file: rp2040.repl" if "bad-image" in MOODS else "Starting emulation...")
    elif command == "machine Reset" and "slow" in MOODS:
        time.sleep(60)
    elif command == "cpu ExecutedInstructions":
        print(f"0x{time.monotonic_ns() if 'busy' in MOODS else 4711:016X}")
    elif command == "cpu PC":
        print("0x20001000")


if "crash" in MOODS:
    sys.exit("System.DllNotFoundException: libfoo.so")
if "stubborn" in MOODS:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "300"])
    print(f"child {child.pid}", flush=True)
print(
    f"Renode, version {'9.9.9' if 'new' in MOODS else '1.16.1'} (0123abc-202601010000)\n\n(monitor) ",
    end="",
    flush=True,
)
for typed in sys.stdin:
    print(typed.rstrip("\n"))
    run(typed.rstrip("\n"))
    print("(rp2040) ", end="", flush=True)
while "stubborn" in MOODS:
    time.sleep(1)
