"""Opens many kept-alive connections, asks once on each, then holds them idle until a line arrives on standard input.

usage: crowd.py PORT PATH COUNT

Prints how many it opened, and at the end how many the server has left open. They come from an address of their own,
take their port numbers late and end by a reset, so that they leave the numbers to the load and to the next crowd.
"""

import select
import socket
import struct
import sys

# Missing from Python's names before 3.13.
IP_BIND_ADDRESS_NO_PORT = 24


def main(port, path, count):
    clients = []
    request = f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    try:
        for _ in range(count):
            clients.append(connect(port, request))
    except OSError as error:
        print(f"crowd: connection {len(clients) + 1}: {error}", file=sys.stderr)
    print(len(clients), flush=True)
    sys.stdin.readline()
    poll = select.poll()
    for client in clients:
        poll.register(client, select.POLLIN)
    # A server that closed an idle connection has made it readable.
    print(len(clients) - len(poll.poll(0)), flush=True)


def connect(port, request):
    client = socket.socket()
    client.settimeout(10)
    client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.bind(("127.0.0.2", 0))
    client.connect(("127.0.0.1", port))
    client.sendall(request)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = client.recv(65536)
        if not piece:
            raise OSError("closed within a head")
        answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
    )
    left = length - len(body)
    while left > 0:
        piece = client.recv(min(left, 65536))
        if not piece:
            raise OSError("closed within an answer")
        left -= len(piece)
    return client


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
