#!/bin/sh
# Install haidang as a system service, or take it away again. Run it from the project's folder:
#   sudo systemd/install.sh            install or upgrade (data and configuration are kept)
#   sudo systemd/install.sh --remove   take the program and the service away; data and configuration stay
# Tried on Debian 12. It writes /opt/haidang, /etc/haidang, and three small files for systemd.
set -eu

PREFIX=${PREFIX:-/opt/haidang}
PYTHON=${PYTHON:-python3}
HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(dirname "$HERE")

fail() {
  echo "install.sh: $1" >&2
  exit 1
}

if [ "${1:-}" = "--help" ] || [ "${1:-}" = "-h" ]; then
  sed -n '2,5s/^# //p' "$0"
  exit 0
fi
[ "$(id -u)" = 0 ] || fail "needs root: sudo $0"
running() { [ -d /run/systemd/system ]; }

if [ "${1:-}" = "--remove" ]; then
  if running; then systemctl disable --now haidang.service 2>/dev/null || true; fi
  rm -rf "$PREFIX" "$PREFIX.new" "$PREFIX.old" /etc/systemd/system/haidang.service /usr/lib/sysusers.d/haidang.conf \
    /usr/lib/tmpfiles.d/haidang.conf /etc/sysctl.d/60-haidang.conf /usr/local/bin/haidang
  if running; then systemctl daemon-reload; fi
  echo "haidang is removed. Kept: /etc/haidang (configuration), /var/lib/haidang (ledger and measurements)."
  echo "To remove these as well: rm -rf /etc/haidang /var/lib/haidang && userdel haidang"
  exit 0
fi
[ $# = 0 ] || fail "unknown option $1; there are --remove and --help"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || fail "needs Python 3.11 or newer; set PYTHON=python3.11"
home=$("$PYTHON" -c 'import sys; print(sys.base_prefix)')
case $home in /root/* | /home/*)
  fail "$PYTHON is the Python in $home, which the service may not look into; set PYTHON=/usr/bin/python3" ;;
esac
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || fail "Python's venv module is missing: apt-get install python3-venv"

# A new environment beside the old one: a failed install leaves the running version as it is.
rm -rf "$PREFIX.new"
trap 'rm -rf "$PREFIX.new"' EXIT
"$PYTHON" -m venv "$PREFIX.new"
"$PREFIX.new/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$ROOT/requirements-run.lock" ||
  fail "the packages could not be had; nothing was changed. Behind a proxy: sudo HTTPS_PROXY=http://HOST:PORT $0; without the Internet: docs/operations.md"
"$PREFIX.new/bin/pip" install --quiet --disable-pip-version-check --no-deps --no-build-isolation "$ROOT"
"$PREFIX.new/bin/python" -P -m haidang --version >/dev/null || fail "the new version does not start; nothing was changed"
mkdir -p "$PREFIX.new/share/haidang/docs"
cp "$ROOT/README.md" "$PREFIX.new/share/haidang/"
cp "$ROOT"/docs/*.md "$PREFIX.new/share/haidang/docs/"

# What was installed beside haidang, such as the packages of its extras, is not in the new environment.
own() { "$1/bin/python" -m pip list --not-required --format=freeze --disable-pip-version-check | sed 's/[ =].*//' | sort; }
lost=""
if [ -x "$PREFIX/bin/python" ]; then
  own "$PREFIX.new" >"$PREFIX.new/beside"
  lost=$(own "$PREFIX" | grep -vxF -f "$PREFIX.new/beside" | tr '\n' ' ') || true
  rm "$PREFIX.new/beside"
fi
rm -rf "$PREFIX.old"
if [ -d "$PREFIX" ]; then mv "$PREFIX" "$PREFIX.old"; fi
mv "$PREFIX.new" "$PREFIX"
# Scripts of an environment carry its path in their first line.
for script in "$PREFIX"/bin/*; do
  if [ -f "$script" ] && head -c 2 "$script" | grep -q '#!'; then sed -i "1s|$PREFIX.new|$PREFIX|" "$script"; fi
done
rm -rf "$PREFIX.old"

install -m 0644 "$HERE/haidang.service" /etc/systemd/system/haidang.service
install -D -m 0644 "$HERE/haidang.sysusers.conf" /usr/lib/sysusers.d/haidang.conf
install -D -m 0644 "$HERE/haidang.tmpfiles.conf" /usr/lib/tmpfiles.d/haidang.conf
install -D -m 0644 "$HERE/haidang.sysctl.conf" /etc/sysctl.d/60-haidang.conf
ln -sf "$PREFIX/bin/haidang" /usr/local/bin/haidang
systemd-sysusers haidang.conf
systemd-tmpfiles --create haidang.conf
sysctl -q -p /etc/sysctl.d/60-haidang.conf || echo "install.sh: the larger receive buffer could not be set; see haidang doctor" >&2

if [ ! -e /etc/haidang/haidang.yaml ]; then
  "$PREFIX/bin/haidang" init /etc/haidang >/dev/null # the service starts it, not the command that this names
  echo "wrote /etc/haidang/haidang.yaml: what is watched; it begins with this machine"
  sed -i 's|^data_dir: .*|data_dir: /var/lib/haidang|' /etc/haidang/haidang.yaml
fi
chown root:haidang /etc/haidang/haidang.yaml
chmod 0640 /etc/haidang/haidang.yaml

if running; then
  systemctl daemon-reload
  systemctl enable haidang.service
  systemctl restart haidang.service
  echo "haidang runs: systemctl status haidang, sudo haidang status, journalctl -u haidang"
  echo "Its pages: http://127.0.0.1:8080; the first sign-in: sudo haidang user link (docs/web.md)"
else
  echo "haidang is installed; systemd does not run here, so it was not started."
fi
if [ -n "$lost" ]; then
  echo "Installed beside it before, and not any more; again: sudo $PREFIX/bin/pip install $lost"
fi
