"""A server that closes idle connections at random times without a word: usage: closing_origin.py PORT.

Answers every request at once, and some random moment after an answer ends the connection if it idles then, by FIN or by
RST. Every 10,000 closes it prints how many there were.
"""
import asyncio
import random
import socket
import sys

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n'
RESET = b'\1\0\0\0\0\0\0\0'


class Peer(asyncio.Protocol):
    closed = 0

    def connection_made(self, transport):
        self.transport, self.timer, self.buffer = transport, None, b''

    def data_received(self, data):
        if self.timer:
            self.timer.cancel()
        self.buffer += data
        while b'\r\n\r\n' in self.buffer:
            self.buffer = self.buffer.partition(b'\r\n\r\n')[2]
            self.transport.write(ANSWER)
        self.timer = asyncio.get_running_loop().call_later(random.expovariate(500), self.end)

    def end(self):
        Peer.closed += 1
        if Peer.closed % 10000 == 0:
            print(Peer.closed, flush=True)
        if Peer.closed % 2:
            self.transport.get_extra_info('socket').setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.transport.abort()

    def connection_lost(self, _):
        if self.timer:
            self.timer.cancel()


async def main():
    server = await asyncio.get_running_loop().create_server(Peer, '127.0.0.1', int(sys.argv[1]), backlog=4096)
    await server.serve_forever()

asyncio.run(main())
