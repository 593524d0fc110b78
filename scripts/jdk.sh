# shellcheck shell=bash
# Finds a JDK without starting one, from the `release` file that every JDK has.

# The oldest release that prefix4j runs on.
jdk_least=25

# Major version of the JDK in a folder; fails if there is none.
jdk_major() {
  [ -x "$1/bin/java" ] && [ -f "$1/release" ] || return 1
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" | head -n 1
}

# Whether a folder has a JDK that is new enough.
jdk_suffices() {
  local major
  major=$(jdk_major "$1") && [ -n "$major" ] && [ "$major" -ge "$jdk_least" ]
}

# The folder of the java on the PATH.
jdk_of_path() {
  local java
  java=$(command -v java 2>/dev/null) || return 1
  while [ -L "$java" ]; do
    local link
    link=$(readlink "$java")
    case $link in
      /*) java=$link ;;
      *) java=$(dirname "$java")/$link ;;
    esac
  done
  (cd "$(dirname "$java")/.." 2>/dev/null && pwd -P)
}

# Prints the folder of a JDK that suffices: the one asked for, else the one in use, else the oldest that is found. Fails with
# a line and 2 if the one asked for does not suffice, 1 if there is none.
find_jdk() {
  local candidate best='' best_major=0 major
  if [ -n "${PREFIX4J_JAVA_HOME:-}" ]; then
    if jdk_suffices "$PREFIX4J_JAVA_HOME"; then
      echo "$PREFIX4J_JAVA_HOME"
      return 0
    fi
    echo "prefix4j: PREFIX4J_JAVA_HOME: expected a JDK $jdk_least or newer, found none in $PREFIX4J_JAVA_HOME" >&2
    return 2
  fi
  for candidate in "${JAVA_HOME:-}" "$(jdk_of_path || true)"; do
    if [ -n "$candidate" ] && jdk_suffices "$candidate"; then
      echo "$candidate"
      return 0
    fi
  done
  for candidate in ${PREFIX4J_JDK_PLACES:-/usr/lib/jvm/* /usr/java/* /opt/*jdk* /opt/java/* "$HOME"/.sdkman/candidates/java/* \
    "$HOME"/.jdks/* "$HOME"/.local/share/mise/installs/java/* /Library/Java/JavaVirtualMachines/*/Contents/Home \
    /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home}; do
    if jdk_suffices "$candidate"; then
      major=$(jdk_major "$candidate")
      if [ -z "$best" ] || [ "$major" -lt "$best_major" ]; then
        best=$candidate
        best_major=$major
      fi
    fi
  done
  if [ -z "$best" ]; then
    echo "prefix4j: a JDK $jdk_least or newer is needed, found none; install one or set PREFIX4J_JAVA_HOME" >&2
    return 1
  fi
  echo "$best"
}
