#!/usr/bin/env bash
# Makes a Debian package of bin/dialtone ($BIN): bin/dialtone_VERSION_ARCH.deb, or the file
# named as the argument.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=${BIN:-bin/dialtone}
version=$("$bin" version | awk '{print $2}')
case $version in [0-9]*) ;; *) version="0~$version" ;; esac
version=${version//-/+}
arch=$(dpkg --print-architecture)
out=${1:-bin/dialtone_${version}_$arch.deb}
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -D -m 755 "$bin" "$root/usr/bin/dialtone"
install -D -m 644 packaging/dialtone.service "$root/lib/systemd/system/dialtone.service"
install -D -m 644 packaging/completion.bash "$root/usr/share/bash-completion/completions/dialtone"
install -D -m 644 packaging/completion.zsh "$root/usr/share/zsh/vendor-completions/_dialtone"
install -D -m 644 packaging/completion.fish "$root/usr/share/fish/vendor_completions.d/dialtone.fish"
install -D -m 644 README.md CHANGELOG.md LICENSE docs/OPERATIONS.md -t "$root/usr/share/doc/dialtone"
install -D -m 644 docs/monitoring/* -t "$root/usr/share/doc/dialtone/monitoring"
install -d -m 755 "$root/etc/dialtone" "$root/usr/share/man/man1" "$root/DEBIAN"
"$bin" example >"$root/etc/dialtone/dialtone.yaml"
chmod 644 "$root/etc/dialtone/dialtone.yaml"
commands=$("$bin" help | sed -n 's/^  \([a-z]*\)  *\(.*\)/.TP\\n.B \1\\n\2/p' | tr '\n' ' ' | sed 's/ \.TP/\\n.TP/g')
awk -v text="$commands" '$0 == "@COMMANDS@" {print text; next} {print}' packaging/dialtone.1 | gzip -9n >"$root/usr/share/man/man1/dialtone.1.gz"
install -m 755 packaging/postinst packaging/prerm packaging/postrm "$root/DEBIAN"
echo /etc/dialtone/dialtone.yaml >"$root/DEBIAN/conffiles"
cat >"$root/DEBIAN/control" <<EOF
Package: dialtone
Version: $version
Architecture: $arch
Maintainer: dialtone <dialtone@pbx.dev>
Section: comm
Priority: optional
Installed-Size: $(du -ks "$root" | cut -f1)
Description: phone provisioning server
 Tells Polycom, Yealink and Grandstream phones over DHCP where their
 configuration is, renders it, is the SIP registrar they register with, rings
 every phone of an extension at once, and answers over REST which phone is on
 which desk and whether it is alive.
EOF
dpkg-deb -Z"${COMPRESSION:-xz}" --root-owner-group --build "$root" "$out" >/dev/null
echo "$out"
