"""A gRPC server on the port it is told, for the tests: every kind of call, a health service, and its name in what it says."""
import sys
import threading
from concurrent import futures

import grpc


def unary(request, _):
    return NAME + request


def fails(request, context):
    context.abort(grpc.StatusCode[request.decode()], 'as asked')


def down(request, _):
    for number in range(int(request)):
        yield b'%d' % number * 1000


def up(requests, _):
    return b'%d' % sum(len(part) for part in requests)


def chat(requests, _):
    for part in requests:
        yield NAME + part


# grpc.health.v1: an empty request; field 1 of the answer: 1 SERVING, 2 NOT_SERVING.
def check(request, context):
    if request and not request.endswith(b'known'):
        context.abort(grpc.StatusCode.NOT_FOUND, 'no such service')
    return b'\x08\x01' if SERVING.is_set() else b'\x08\x02'


def health(request, _):
    (SERVING.set if request == b'up' else SERVING.clear)()
    return b''


METHODS = {
    '/test.Calls/Unary': grpc.unary_unary_rpc_method_handler(unary),
    '/test.Calls/Fails': grpc.unary_unary_rpc_method_handler(fails),
    '/test.Calls/Down': grpc.unary_stream_rpc_method_handler(down),
    '/test.Calls/Up': grpc.stream_unary_rpc_method_handler(up),
    '/test.Calls/Chat': grpc.stream_stream_rpc_method_handler(chat),
    '/test.Calls/Health': grpc.unary_unary_rpc_method_handler(health),
    '/grpc.health.v1.Health/Check': grpc.unary_unary_rpc_method_handler(check),
}


class Calls(grpc.GenericRpcHandler):
    def service(self, details):
        return METHODS.get(details.method)


if __name__ == '__main__':
    NAME = sys.argv[2].encode()
    SERVING = threading.Event()
    SERVING.set()
    server = grpc.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((Calls(),))
    server.add_insecure_port(f'127.0.0.1:{sys.argv[1]}')
    server.start()
    server.wait_for_termination()
