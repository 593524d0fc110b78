#!/usr/bin/env bash
# Tests of the launcher's search for a JDK, with folders that only look like one.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0
failed=0

fake_jdk() { # folder, version
  mkdir -p "$1/bin"
  printf '#!/bin/sh\necho ran %s "$@"\n' "$1" >"$1/bin/java"
  chmod +x "$1/bin/java"
  printf 'IMPLEMENTOR="nobody"\nJAVA_VERSION="%s"\n' "$2" >"$1/release"
}

expect() { # name, expected, found
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    printf 'FAILED: %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
  fi
}

search() { # runs find_jdk with a clean environment and the given assignments
  env -i HOME="$work" PATH=/usr/bin:/bin "$@" bash -c ". '$root/scripts/jdk.sh'; find_jdk" 2>&1
}

fake_jdk "$work/jdk17" 17.0.2
fake_jdk "$work/jdk25" 25.0.1
fake_jdk "$work/jdk26" 26-ea
mkdir -p "$work/no jdk"

places="PREFIX4J_JDK_PLACES=$work/jdk17 $work/jdk26 $work/jdk25"
expect "takes the oldest JDK that suffices" "$work/jdk25" "$(search "$places")"
expect "prefers a sufficient JAVA_HOME" "$work/jdk26" "$(search "$places" JAVA_HOME="$work/jdk26")"
expect "passes over an old JAVA_HOME" "$work/jdk25" "$(search "$places" JAVA_HOME="$work/jdk17")"
expect "prefers a sufficient java on the PATH" "$work/jdk26" "$(search "$places" PATH="$work/jdk26/bin:/usr/bin:/bin")"
ln -s "$work/jdk26/bin/java" "$work/java-link"
mkdir -p "$work/links" && ln -s "$work/java-link" "$work/links/java"
expect "follows links of links" "$work/jdk26" "$(search "$places" PATH="$work/links:/usr/bin:/bin")"
expect "refuses an unfit PREFIX4J_JAVA_HOME" \
  "prefix4j: PREFIX4J_JAVA_HOME: expected a JDK 25 or newer, found none in $work/jdk17" \
  "$(search "$places" PREFIX4J_JAVA_HOME="$work/jdk17")"
expect "says in one line that there is none" \
  "prefix4j: a JDK 25 or newer is needed, found none; install one or set PREFIX4J_JAVA_HOME" \
  "$(search "PREFIX4J_JDK_PLACES=$work/jdk17")"

# The launcher itself, called through a link from elsewhere, on a copy that counts as built.
copy=$work/checkout
mkdir -p "$copy/scripts" "$copy/target/cli/classes" "$copy/src" "$copy/native"
cp "$root/scripts/prefix4j" "$root/scripts/jdk.sh" "$copy/scripts/"
touch "$copy/pom.xml"
echo libs >"$copy/target/classpath"
touch "$copy/target/built"
ln -s "$copy/scripts/prefix4j" "$work/p4j"
expect "ends with the exit code of wrong usage for an unfit PREFIX4J_JAVA_HOME" 2 \
  "$(env -i HOME="$work" PATH=/usr/bin:/bin PREFIX4J_JAVA_HOME="$work/jdk17" "$work/p4j" doctor >/dev/null 2>&1; echo $?)"
out=$(cd / && env -i HOME="$work" PATH=/usr/bin:/bin PREFIX4J_JAVA_HOME="$work/jdk25" "$work/p4j" doctor 'two words' 2>&1)
expect "runs through a link from any folder" \
  "ran $work/jdk25 --enable-native-access=ALL-UNNAMED -XX:+UseSerialGC -Xms32m -Xmx256m -Xmn16m -Dprefix4j.terminal=false -cp $copy/target/cli/classes:libs dev.prefix4j.cli.Main doctor two words" \
  "$out"

# A JDK that tells of its locale.
fake_jdk "$work/jdk27" 27
printf '#!/bin/sh\nlocale charmap\necho "${LC_ALL-unset} ${LANG-unset}"\n' >"$work/jdk27/bin/java"
charmap() { # runs the launcher with the given assignments
  env -i HOME="$work" PATH=/usr/bin:/bin PREFIX4J_JAVA_HOME="$work/jdk27" "$@" "$work/p4j" 2>&1
}
if [ "$(LC_ALL=C.UTF-8 locale charmap 2>/dev/null)" = UTF-8 ]; then
  expect "sets a UTF-8 locale where there is none" "UTF-8"$'\n'"C.UTF-8 unset" "$(charmap)"
  expect "sets a UTF-8 locale over another" "UTF-8"$'\n'"C.UTF-8 unset" "$(charmap LC_ALL=C)"
  expect "leaves a UTF-8 locale as it is" "UTF-8"$'\n'"unset C.UTF-8" "$(charmap LANG=C.UTF-8)"
fi

# What is newer than the build is built again, by a Maven that only tells of its arguments.
mkdir -p "$work/maven"
printf '#!/bin/sh\nfor goal; do :; done\necho "mvn $goal"\n[ "$goal" != process-classes ] || touch "%s"\n' "$copy/target/built" >"$work/maven/mvn"
chmod +x "$work/maven/mvn"
launch() {
  env -i HOME="$work" PATH="$work/maven:/usr/bin:/bin" PREFIX4J_JAVA_HOME="$work/jdk25" "$work/p4j" --version 2>&1 |
    sed 's/^ran .*/ran/'
}
touch -d '2 hours ago' "$copy/pom.xml" "$copy/src" "$copy/native"
touch -d '1 hour ago' "$copy/target/built"
expect "does not build after a build of Maven's own" "ran" "$(launch)"
touch "$copy/src"
expect "builds what is newer than the build" "prefix4j: building"$'\n'"mvn process-classes"$'\n'"ran" "$(launch)"
expect "builds it once" "ran" "$(launch)"

# The version, with and without Git.
cp "$root/scripts/version" "$copy/scripts/"
"$copy/scripts/version" 1.2.3 "$work/version"
expect "writes a version without Git" "version=1.2.3"$'\n'"commit=" "$(cat "$work/version")"
if command -v git >/dev/null; then
  commit() { git -C "$copy" -c user.name=n -c user.email=e -c commit.gpgsign=false commit -q --allow-empty -m "$1"; }
  git -C "$copy" init -q && git -C "$copy" add scripts && commit one
  "$copy/scripts/version" 1.2.3 "$work/version"
  expect "writes the commit" "commit=$(git -C "$copy" rev-parse --short=12 HEAD)" "$(sed 1d "$work/version")"
  echo '#' >>"$copy/scripts/version"
  "$copy/scripts/version" 1.2.3 "$work/version"
  expect "says that there are changes" "commit=$(git -C "$copy" rev-parse --short=12 HEAD)-dirty" "$(sed 1d "$work/version")"
  version=$copy/target/cli/classes/dev/prefix4j/version.properties
  mkdir -p "${version%/*}" && cp "$work/version" "$version" && touch -d '1 hour ago' "$version"
  commit two && launch >/dev/null
  expect "follows a commit without a build" "commit=$(git -C "$copy" rev-parse --short=12 HEAD)-dirty" "$(sed 1d "$version")"
fi

# A target folder that came with a copied checkout, and a CMake that only tells whether it finds a cache.
printf '#!/bin/sh\n[ "$1" != -S ] || { [ -e "$4/CMakeCache.txt" ] && echo cache || echo no cache; } >&3\n' >"$work/maven/cmake"
chmod +x "$work/maven/cmake"
cp "$root/native/build" "$copy/native/"
mkdir -p "$copy/target/native"
prepare() { # folder of the cache
  echo "CMAKE_HOME_DIRECTORY:INTERNAL=$1" >"$copy/target/native/CMakeCache.txt"
  PATH="$work/maven:/usr/bin:/bin" "$copy/native/build" "$work/kernels" 3>&1 >/dev/null 2>&1
}
expect "drops another checkout's CMake cache" "no cache" "$(prepare /elsewhere/native)"
expect "keeps its own CMake cache" "cache" "$(prepare "$copy/native")"

printf 'launcher: %d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ]
