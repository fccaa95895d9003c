# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# What every command of the lab shares: where things are, and how it speaks.

# A failure inside $( ) is a failure too.
shopt -s inherit_errexit

LAB_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB_TOP=$(dirname "$LAB_DIR")
LAB_CACHE=${GNTDEV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gntdev}

# Exit statuses of the lab itself; 0 to 125 are the command's own.
LAB_LOST=200
LAB_WARNED=201
LAB_UNREADY=202
LAB_UNABLE=203

say() {
	printf 'lab: %s\n' "$*" >&2
}

# The lab cannot do what was asked; the message says why.
unready() {
	say "$*"
	exit "$LAB_UNREADY"
}

# need COMMAND PACKAGE: a tool of the host, and the Debian package that has it.
need() {
	command -v "$1" >/dev/null 2>&1 && return
	PATH=$PATH:/usr/sbin:/sbin
	command -v "$1" >/dev/null 2>&1 && return
	unready "$1 is not installed: apt-get install $2"
}

check_arch() {
	case $1 in
	amd64 | arm64) ;;
	*) unready "architecture '$1': expected amd64 or arm64" ;;
	esac
}

# Prepares the cache folder, and cleans what a killed run left half-written.
open_cache() {
	mkdir -p "$LAB_CACHE" 2>/dev/null ||
		unready "cannot create the cache folder $LAB_CACHE (GNTDEV_CACHE names another)"
	[ -w "$LAB_CACHE" ] ||
		unready "cannot write to the cache folder $LAB_CACHE (GNTDEV_CACHE names another)"
}

# One process at a time changes the cache. The lock is held until exit, or
# until close_cache_lock.
lock_cache() {
	open_cache
	exec 8>"$LAB_CACHE/.lock"
	if ! flock -n 8; then
		say "waiting for another process that is filling the cache"
		flock 8
	fi
	rm -rf "$LAB_CACHE"/.new.*
}

unlock_cache() {
	exec 8>&-
}

# A folder to build a piece of the cache in; publish renames it into place.
new_piece() {
	mktemp -d "$LAB_CACHE/.new.XXXXXX"
}

# publish FOLDER NAME: the finished piece replaces the old one at once.
publish() {
	local old
	mkdir -p "$(dirname "$LAB_CACHE/$2")"
	if [ -e "$LAB_CACHE/$2" ]; then
		old=$(mktemp -d "$LAB_CACHE/.new.XXXXXX")
		mv "$LAB_CACHE/$2" "$old/"
		mv "$1" "$LAB_CACHE/$2"
		rm -rf "$old"
	else
		mv "$1" "$LAB_CACHE/$2"
	fi
	chmod 755 "$LAB_CACHE/$2"
}
