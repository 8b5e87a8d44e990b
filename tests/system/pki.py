"""Certificates for tests: an authority of the test's own, made by the openssl command."""
import os
import subprocess


def openssl(*arguments, **options):
    return subprocess.run(['openssl', *map(str, arguments)], check=True, capture_output=True, **options).stdout


class Authority:
    """A root, an intermediate under it, and what they sign, in a folder."""

    def __init__(self, folder, name='test'):
        self.folder, self.serial = folder, 1000
        self.root = self._ca(f'{name}-root', None)
        self.intermediate = self._ca(f'{name}-intermediate', self.root)

    @property
    def file(self):
        return self.root[0]

    def _key(self, path, kind):
        if kind == 'rsa':
            openssl('genrsa', '-out', path, 2048)
        else:
            openssl('ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', path)

    def _sign(self, certificate, key, subject, extensions, issuer, days=30):
        self.serial += 1
        config = certificate + '.ext'
        with open(config, 'w', encoding='ascii') as file:
            file.write('\n'.join(extensions) + '\n')
        request = certificate + '.csr'
        openssl('req', '-new', '-key', key, '-subj', subject, '-out', request)
        signer = ['-signkey', key] if issuer is None else ['-CA', issuer[0], '-CAkey', issuer[1]]
        openssl('x509', '-req', '-in', request, *signer, '-set_serial', self.serial, '-days', days, '-extfile', config,
                '-out', certificate)
        os.remove(config)
        os.remove(request)

    def _ca(self, name, issuer):
        certificate, key = os.path.join(self.folder, f'{name}.crt'), os.path.join(self.folder, f'{name}.key')
        self._key(key, 'ecdsa')
        self._sign(certificate, key, f'/CN={name}', ['basicConstraints=critical,CA:true', 'keyUsage=critical,keyCertSign,'
                                                     'cRLSign', 'subjectKeyIdentifier=hash'], issuer)
        return certificate, key

    def issue(self, file, *names, kind='ecdsa', subject=None, key=None, chain=True, extensions=(), days=30):
        """One PEM file of certificate, chain and key, for DNS names or addresses; its path."""
        path = os.path.join(self.folder, file)
        own_key = key or path + '.key'
        if not key:
            self._key(own_key, kind)
        listed = ','.join(('IP:' if n.replace('.', '').isdigit() or ':' in n else 'DNS:') + n for n in names)
        more = [f'subjectAltName={listed}'] if listed else []
        self._sign(path + '.crt', own_key, subject or f'/CN={names[0] if names else "nobody"}',
                   [*more, 'extendedKeyUsage=serverAuth,clientAuth', *extensions], self.intermediate, days)
        parts = [path + '.crt'] + ([self.intermediate[0]] if chain else []) + [own_key]
        with open(path + '.tmp', 'wb') as out:
            for part in parts:
                with open(part, 'rb') as file_:
                    out.write(file_.read())
        os.replace(path + '.tmp', path)
        return path
