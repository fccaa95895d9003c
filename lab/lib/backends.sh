# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# QEMU in dom0, for those who ask for it: a memory disk of its own, as it is four
# times as large as all others.

make_qemu() {
	local from=$LAB_CACHE/$1/qemu root file program
	need readelf binutils
	root=$(mktemp -d "$RUN/qemu.XXXXXX")
	program=$from/usr/libexec/xen-qemu-system-i386
	while read -r file; do
		mkdir -p "$root/$(dirname "${file#"$from/"}")"
		cp -L --preserve=mode "$file" "$root/${file#"$from/"}"
	done < <(printf '%s\n' "$program" && libraries "$from" "$program")
	archive "$root" "$2"
	rm -rf "$root"
}

qemu_image() {
	cached_image "qemu-$1" \
		"$(hash_of "$LAB_CACHE/$1/qemu/.packages" "$LAB_DIR/lib/backends.sh")" \
		make_qemu "$1"
}
