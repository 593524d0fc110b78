# Sourced: find_peers ROOT sets python to that of a virtual environment with the peers of requirements.txt, created in
# ROOT/target/peers unless PREFIX4J_PEERS names one. Fails with a message if it cannot.
find_peers() {
  local root=$1 wanted=$1/scripts/peers/requirements.txt
  local venv=${PREFIX4J_PEERS:-$root/target/peers}
  python=$venv/bin/python
  local differ
  if ! differ=$(peers_differ "$wanted" 2>/dev/null); then
    if [ -n "${PREFIX4J_PEERS:-}" ]; then
      echo "PREFIX4J_PEERS: expected a virtual environment, found no $python that runs" >&2
      return 1
    fi
    differ="no virtual environment"
  fi
  if [ -n "$differ" ] && [ -n "${PREFIX4J_PEERS:-}" ]; then
    echo "$venv has other versions than $wanted: $differ" >&2
  elif [ -n "$differ" ]; then
    echo "installing the peers in $venv; this takes minutes" >&2
    mkdir -p "$root/target"
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install -q --retries 0 -r "$wanted"; } >"$root/target/peers.log" 2>&1; then
      echo "the peers cannot be installed here ($root/target/peers.log says why)" >&2
      return 1
    fi
  fi
}

# Prints packages with other versions. A local label, such as +cpu, is ignored.
peers_differ() {
  "$python" - "$1" <<'EOF'
import importlib.metadata, sys
def found(name):
    try:
        return importlib.metadata.version(name).split("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return "none"
lines = (line.split("#")[0].strip() for line in open(sys.argv[1], encoding="utf8"))
wanted = dict(line.split("==") for line in lines if line)
print(", ".join(f"{name} {found(name)} for {version}" for name, version in wanted.items() if found(name) != version))
EOF
}
