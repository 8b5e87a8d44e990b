"""Who is compared: each peer's file as its own documentation advises for speed on one core."""
import os
import shutil

NGINX = '''daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log error; {user}
events {{ worker_connections 10000; }}
http {{
  access_log {log}; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000;
  open_file_cache max=10000; open_file_cache_valid 1h;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; {store}
  upstream origin {{ server 127.0.0.1:{origin}; keepalive 512; keepalive_requests 1000000000; }}
  server {{ listen 127.0.0.1:{port} backlog=4096; {metrics}
    location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; {cache} }} }}
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
  bind 127.0.0.1:{port} backlog 4096
  {metrics}
  default_backend origin
backend origin
  {cache}
  server one 127.0.0.1:{origin}
'''
PORTOLAN = '''[server]
workers = 1
admin = "unix:{folder}/admin.sock"
{metrics}
[log.access]
path = "{log}"
[listener.http]
listen = ["127.0.0.1:{port}"]
[pool.origin]
servers = ["127.0.0.1:{origin}"]
{store}
[[route]]
pool = "origin"
{cache}
'''


def _write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, 'w', encoding='ascii') as file:
        file.write(text)
    return path


def nginx(folder, port, origin, cached, logged, _metrics):
    path = _write(folder, 'nginx.conf', NGINX.format(
        folder=folder, port=port, origin=origin, user='user root;' if os.geteuid() == 0 else '',
        log=f'{folder}/access.log combined buffer=64k' if logged else 'off',
        metrics='location = /status { stub_status; }' if logged else '',
        store=f'proxy_cache_path {folder}/store keys_zone=c:16m;' if cached else '',
        cache='proxy_cache c;' if cached else ''))
    return [shutil.which('nginx', path='/usr/sbin'), '-c', path]


def haproxy(folder, port, origin, cached, logged, _metrics):
    path = _write(folder, 'haproxy.cfg', HAPROXY.format(
        port=port, origin=origin, metrics='stats uri /status' if logged else '',
        log='log stdout format raw local0' if logged else '',
        option='log global\n  option httplog' if logged else '',
        store='cache c\n  total-max-size 256\n  max-object-size 4000000\n  max-age 3600' if cached else '',
        cache='http-request cache-use c\n  http-response cache-store c' if cached else ''))
    return [shutil.which('haproxy', path='/usr/sbin'), '-f', path, '-db']


def portolan(folder, port, origin, cached, logged, metrics, binary=None):
    path = _write(folder, 'portolan.toml', PORTOLAN.format(
        folder=folder, port=port, origin=origin, log=f'{folder}/access.log' if logged else 'off',
        metrics=f'metrics = "127.0.0.1:{metrics}"' if logged else '',
        store='[cache.c]\nmemory = "256 MiB"' if cached else '', cache='cache = "c"' if cached else ''))
    return [binary, 'run', '--config', path]


PEERS = {'nginx': nginx, 'haproxy': haproxy}
