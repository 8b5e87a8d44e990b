"""Who is compared: each peer's file as its own documentation advises for speed on one core."""
import os
import shutil

from . import measure

NGINX = '''daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log error; {user}
events {{ worker_connections 10000; }}
http {{
  access_log {log}; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000;
  open_file_cache max=10000; open_file_cache_valid 1h;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; {store}
  client_body_buffer_size 128k;
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096{tls}; {metrics}
    location / {{ {work} }} }}
}}
'''
HAPROXY = '''global
  nbthread 1
  maxconn 9000
  {log}
defaults
  mode http
  {option}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
{store}
frontend front
  bind 127.0.0.1:{port} backlog 4096{tls}
  {metrics}
  default_backend origin
backend origin
  {cache}
  server one 127.0.0.1:{origin}{speaks}
'''
PORTOLAN = '''[server]
workers = 1
admin = "unix:{folder}/admin.sock"
{metrics}
[log.access]
path = "{log}"
[listener.http]
listen = ["127.0.0.1:{port}"]
{tls}
[pool.origin]
servers = ["127.0.0.1:{origin}"]
{speaks}
{store}
[[route]]
{work}
'''
H2O = '''num-threads: 1
max-connections: 9000
{user}
listen: {{ host: 127.0.0.1, port: {port} }}
{log}
hosts:
  default:
    paths:
      "/":
        {work}
'''
TRAFFIC_SERVER = '''CONFIG proxy.config.http.server_ports STRING {port}
CONFIG proxy.config.exec_thread.autoconfig INT 0
CONFIG proxy.config.exec_thread.limit INT 1
CONFIG proxy.config.accept_threads INT 0
CONFIG proxy.config.task_threads INT 1
CONFIG proxy.config.log.logging_enabled INT {logging}
CONFIG proxy.config.http.cache.required_headers INT 0
CONFIG proxy.config.cache.ram_cache.size INT 268435456
CONFIG proxy.config.cache.ram_cache_cutoff INT 4194304
CONFIG proxy.config.net.connections_throttle INT 18000
CONFIG proxy.config.admin.user_id STRING #-1
'''
ORIGIN_OF_POSTS = '''daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log error; {user}
events {{ worker_connections 10000; }}
http {{
  access_log off; keepalive_requests 1000000000; client_max_body_size 1m; client_body_buffer_size 128k;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "{body}"; }} }}
}}
'''


def user():
    """nginx stays who it is."""
    return 'user root;' if os.geteuid() == 0 else ''


def nginx(task):
    work = {'static': f'root {task.files};',
            'passed': 'proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";',
            'grpc': 'grpc_pass grpc://origin;'}
    work['cached'] = work['passed'] + ' proxy_cache c;'
    path = measure.write(task.folder, 'nginx.conf', NGINX.format(
        folder=task.folder, port=task.port, origin=task.origin or 1, user=user(),
        tls=f' ssl http2; ssl_protocols TLSv1.2 TLSv1.3; ssl_certificate {task.tls}; ssl_certificate_key {task.tls}; ssl_session_tickets on; '
            'http2_max_requests 1000000000' if task.tls else '',
        log=f'{task.folder}/access.log combined buffer=64k' if task.logged else 'off',
        metrics='location = /status { stub_status; }' if task.logged else '',
        store=f'proxy_cache_path {task.folder}/store keys_zone=c:16m;' if task.way == 'cached' else '',
        work=work[task.way]))
    return [shutil.which('nginx', path='/usr/sbin'), '-c', path]


def haproxy(task):
    cached, logged = task.way == 'cached', task.logged
    path = measure.write(task.folder, 'haproxy.cfg', HAPROXY.format(
        port=task.port, origin=task.origin, tls=f' ssl crt {task.tls} alpn h2,http/1.1' if task.tls else '',
        speaks=' proto h2' if task.way == 'grpc' else '', metrics='stats uri /status' if logged else '',
        log='log stdout format raw local0' if logged else '',
        option='log global\n  option httplog' if logged else '',
        store='cache c\n  total-max-size 256\n  max-object-size 4000000\n  max-age 3600' if cached else '',
        cache='http-request cache-use c\n  http-response cache-store c' if cached else ''))
    return [shutil.which('haproxy', path='/usr/sbin'), '-f', path, '-db']


def varnish(task):
    return [shutil.which('varnishd', path='/usr/sbin'), '-F', '-n', os.path.join(task.folder, 'varnish'),
            '-a', f'127.0.0.1:{task.port}', '-b', f'127.0.0.1:{task.origin}', '-s', 'malloc,256m',
            '-p', 'thread_pools=1', '-p', 'thread_pool_min=200', '-p', 'thread_pool_max=5000']


def traffic_server(task):
    root = os.path.join(task.folder, 'ats')
    for name in ('etc', 'cache', 'log', 'run', 'data'):
        os.makedirs(os.path.join(root, name))
    measure.write(root, 'runroot.yaml', 'prefix: /usr\nexec_prefix: /usr\nbindir: /usr/bin\nsbindir: /usr/sbin\n'
           f'includedir: /usr/include\nlibdir: /usr/lib/trafficserver\nlibexecdir: /usr/lib/trafficserver/modules\n'
           f'sysconfdir: {root}/etc\ndatadir: {root}/data\nlocalstatedir: {root}/run\nruntimedir: {root}/run\n'
           f'logdir: {root}/log\ncachedir: {root}/cache\n')
    measure.write(root, 'etc/records.config', TRAFFIC_SERVER.format(port=task.port, logging=2 if task.logged else 0))
    measure.write(root, 'etc/remap.config', f'map / http://127.0.0.1:{task.origin}/\n')
    measure.write(root, 'etc/storage.config', f'{root}/cache 256M\n')
    measure.write(root, 'etc/ip_allow.yaml', 'ip_allow:\n  - {apply: in, ip_addrs: 0/0, action: allow, methods: ALL}\n')
    return [shutil.which('traffic_server', path='/usr/bin'), f'--run-root={root}/runroot.yaml']


def h2o(task):
    proxy = f'proxy.reverse.url: http://127.0.0.1:{task.origin}/\n        proxy.timeout.keepalive: 10000'
    path = measure.write(task.folder, 'h2o.conf', H2O.format(
        port=task.port, user='user: root' if os.geteuid() == 0 else '',
        log=f'access-log: {task.folder}/access.log' if task.logged else '',
        work=f'file.dir: {task.files}' if task.way == 'static' else proxy))
    return [shutil.which('h2o', path='/usr/bin:/usr/sbin'), '-m', 'worker', '-c', path]


def portolan(task):
    work = {'static': f'files = {{ root = "{task.files}" }}', 'passed': 'pool = "origin"',
            'cached': 'pool = "origin"\ncache = "c"', 'grpc': 'pool = "origin"'}
    store = '[cache.c]\nmemory = "256 MiB"\n'
    if task.on_disk:
        store += f'disk = {{ path = "{task.folder}/store", size = "1 GiB" }}'
    path = measure.write(task.folder, 'portolan.toml', PORTOLAN.format(
        folder=task.folder, port=task.port, origin=task.origin or 1,
        tls=f'tls.certificates = ["{task.tls}"]' if task.tls else '',
        speaks='http2 = true' if task.way == 'grpc' else '',
        log=f'{task.folder}/access.log' if task.logged else 'off',
        metrics=f'metrics = "127.0.0.1:{measure.free_port()}"' if task.logged else '',
        store=store if task.way == 'cached' else '', work=work[task.way]))
    return [measure.BINARY, 'run', '--config', path]


def origin_of_files(folder, port, files):
    """nginx, whose answers may be kept for an hour."""
    path = measure.write(folder, 'files.conf', ORIGIN_OF_POSTS.format(folder=folder, port=port, user=user(), body='').replace(
        'return 200 "";', f'root {files}; add_header Cache-Control max-age=3600;'))
    return [shutil.which('nginx', path='/usr/sbin'), '-c', path]


def origin_of_posts(folder, port, size):
    """nginx reads a body of any size and answers `size` bytes."""
    path = measure.write(folder, 'posts.conf', ORIGIN_OF_POSTS.format(folder=folder, port=port, user=user(), body='x' * size))
    return [shutil.which('nginx', path='/usr/sbin'), '-c', path]


PEERS = {'nginx': nginx, 'haproxy': haproxy, 'varnish': varnish, 'h2o': h2o, 'trafficserver': traffic_server}
