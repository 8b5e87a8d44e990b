#!/usr/bin/env bash
# Puts a built binary into a Debian package. usage: packaging/build.sh BINARY      writes build/portolan_VERSION_ARCH.deb
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
umask 022
binary=$1
version=$(sed -n 's/^project(portolan VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
architecture=$(dpkg --print-architecture)
# The same source gives the same package: the time in it is the changelog's.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date -d "$(sed -n 's/^ -- .*>  //p' packaging/changelog | head -1)" +%s)}

stage=$(mktemp -d build/deb.XXXXXX)
trap 'rm -rf "$stage"' EXIT
root=$stage/root

install -D -m 755 "$binary" "$root/usr/sbin/portolan"
strip --remove-section=.comment --remove-section=.note "$root/usr/sbin/portolan"
install -D -m 644 conf/portolan.toml "$root/etc/portolan/portolan.toml"
install -d "$root/etc/portolan/conf.d"
install -D -m 644 packaging/portolan.logrotate "$root/etc/logrotate.d/portolan"
install -D -m 644 packaging/portolan.service "$root/lib/systemd/system/portolan.service"
install -D -m 644 packaging/copyright "$root/usr/share/doc/portolan/copyright"
install -D -m 644 -t "$root/usr/share/doc/portolan/keepalived" conf/keepalived/edge-1.conf conf/keepalived/edge-2.conf
install -D -m 644 -t "$root/usr/share/doc/portolan" README.md ARCHITECTURE.md LICENSE
# What README.md and the pages link to, at the same paths.
(find docs -type f; find conf/demo -name '*.toml'; ls bench/results/latest.md) | while read -r file; do
  install -D -m 644 "$file" "$root/usr/share/doc/portolan/$file"
done
ln -s ../keepalived "$root/usr/share/doc/portolan/conf/keepalived"
[ ! -f conf/reference.toml ] || install -D -m 644 conf/reference.toml "$root/usr/share/doc/portolan/reference.toml"
compress() { mkdir -p "$(dirname "$2")"; gzip -9n <"$1" >"$2"; }
compress packaging/changelog "$root/usr/share/doc/portolan/changelog.gz"
compress packaging/portolan.8 "$root/usr/share/man/man8/portolan.8.gz"
compress packaging/portolan.toml.5 "$root/usr/share/man/man5/portolan.toml.5.gz"

# dpkg-shlibdeps reads the libraries the binary names and asks dpkg who has them; it wants a debian/control to be there.
mkdir "$stage/debian"
printf 'Source: portolan\n\nPackage: portolan\nArchitecture: any\n' >"$stage/debian/control"
depends=$(cd "$stage" && dpkg-shlibdeps -O -eroot/usr/sbin/portolan 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
[ -n "$depends" ] || { echo "build.sh: dpkg-shlibdeps found no libraries" >&2; exit 1; }

mkdir "$root/DEBIAN"
size=$(du -k -s --apparent-size "$root" | cut -f1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "s/@SIZE@/$size/" -e "s/@DEPENDS@/$depends/" \
  packaging/control.in >"$root/DEBIAN/control"
(cd "$root" && find etc -type f | sed 's,^,/,' | sort >DEBIAN/conffiles)
(cd "$root" && find usr lib -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums)
install -m 755 packaging/postinst packaging/prerm packaging/postrm "$root/DEBIAN/"

package=build/portolan_${version}_$architecture.deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package" >/dev/null
echo "$package"
