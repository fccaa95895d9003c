# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# The memory disks that guests boot from. They are cpio archives laid end to
# end: a base that is cached by what it is made of, and one for this run.

# Modules of the kernel that are loaded in every guest, and those that a program
# may load with modprobe. Some kernels have them built in, some lack them.
LOADED_MODULES=(xen-evtchn xen-privcmd xenfs virtio_pci virtio_mmio virtio_console
	virtio_blk xen-blkfront)
OTHER_MODULES=(xen-gntalloc ext4 vgem udmabuf brd virtio-gpu)
# In dom0 alone, and when there is a display.
DISPLAY_MODULES=(cirrus)

# archive FOLDER FILE
archive() {
	need cpio cpio
	(cd "$1" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$2"
}

# kernel_dir ARCH KERNEL: the folder with image, release and lib/modules.
kernel_dir() {
	case $2 in
	6.1) printf '%s\n' "$LAB_CACHE/$1/kernel" ;;
	6.12 | 7.3) printf '%s\n' "$LAB_CACHE/$1/kernel-$2" ;;
	debug) printf '%s\n' "$LAB_CACHE/$1/debug-kernel" ;;
	esac
}

# xen_dir ARCH xen|tools: the folder with Xen, or its tools, of $XEN_VERSION.
xen_dir() {
	case $XEN_VERSION in
	4.17) printf '%s\n' "$LAB_CACHE/$1/$2" ;;
	*) printf '%s\n' "$LAB_CACHE/$1/$2-$XEN_VERSION" ;;
	esac
}

# add_modules FROM TO [MODULE]...: copies the modules that the lab uses, and
# those, with those that they depend on.
add_modules() {
	local from=$1 to=$2 release name file
	shift 2
	release=$(cat "$from/release")
	mkdir -p "$to/lib/modules/$release" "$to/lib/lab/distribution"
	for name in "${LOADED_MODULES[@]}" "${OTHER_MODULES[@]}" "$@"; do
		modprobe -d "$from" -S "$release" --show-depends "$name" 2>/dev/null || true
	done | awk '$1 == "insmod" { print $2 }' | sort -u | while read -r file; do
		file=${file#"$from/"}
		mkdir -p "$to/$(dirname "$file")"
		copy_module "$from/$file" "$to/$file"
	done
	cp "$from/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$to/lib/modules/$release/"
	depmod -b "$to" "$release"
	# Not among the others, so that nothing loads it by accident.
	file=$(find "$from/lib/modules/$release/kernel/drivers/xen" -name 'xen-gntdev.ko*')
	copy_module "$file" "$to/lib/lab/distribution/$(basename "$file")"
}

# make_base ARCH KERNEL [MODULE]... FILE
make_base() {
	local arch=$1 from root file=${*: -1}
	from=$(kernel_dir "$arch" "$2")
	set -- "${@:3:$#-3}"
	root=$(mktemp -d "$RUN/base.XXXXXX")
	mkdir -p "$root"/{bin,dev,proc,sys,lib/lab}
	cp "$LAB_CACHE/$arch/busybox/bin/busybox" "$root/bin/"
	cp "$LAB_DIR/guest/init" "$root/init"
	chmod 755 "$root/init"
	cp "$LAB_DIR"/guest/*.sh "$root/lib/lab/"
	cp "$LAB_DIR/guest/screendump" "$root/bin/"
	chmod 755 "$root/bin/screendump"
	add_modules "$from" "$root" "$@"
	archive "$root" "$file"
	rm -rf "$root"
}

# copy_module FROM TO: not compressed; the emulated machine is slow at that.
copy_module() {
	case $1 in
	*.xz) need xz xz-utils && xz -dc "$1" >"${2%.xz}" ;;
	*) cp "$1" "$2" ;;
	esac
}

# Programs of Xen's packages that the lab has in dom0.
TOOL_PROGRAMS=(xl libxl-save-helper xenstored xenconsoled xen-init-dom0 vchan-socket-proxy)

# libraries FOLDER FILE...: the files under FOLDER that the programs need to run.
libraries() {
	local from=$1 name file
	local -A seen=()
	shift
	local left=("$@")
	while [ ${#left[@]} -gt 0 ]; do
		file=${left[0]}
		left=("${left[@]:1}")
		while read -r name; do
			[ -z "${seen[$name]:-}" ] || continue
			seen[$name]=1
			file=$(find "$from"/{,usr/}lib -name "$name" ! -path '*/debug/*' -print -quit 2>/dev/null || true)
			[ -n "$file" ] || unready "$name, which Xen's tools need, is in none of the packages"
			printf '%s\n' "$file"
			left+=("$file")
		done < <(readelf -d "$file" 2>/dev/null | sed -n 's/.*(NEEDED).*\[\(.*\)\].*/\1/p')
	done
}

# make_tools ARCH FILE
make_tools() {
	local from root file target list
	local programs=()
	from=$(xen_dir "$1" tools)
	need readelf binutils
	root=$(mktemp -d "$RUN/tools.XXXXXX")
	for file in "${TOOL_PROGRAMS[@]}"; do
		programs+=("$from/usr/lib/xen-$XEN_VERSION/bin/$file")
	done
	programs+=("$from"/usr/bin/xenstore*)
	list=$(
		printf '%s\n' "${programs[@]}"
		libraries "$from" "${programs[@]}"
		# The loader, where programs look for it, and what the C library
		# loads when a thread is cancelled.
		find "$from"/{,usr/}lib{,64} -maxdepth 1 -name 'ld-linux*' 2>/dev/null || true
		find "$from"/{,usr/}lib -name libgcc_s.so.1 2>/dev/null || true
	)
	while read -r file; do
		mkdir -p "$root/$(dirname "${file#"$from/"}")"
		# A link from the root is one in the packages, not in this system, which
		# may have another loader.
		case $(readlink "$file" || true) in
		/*) target=$from$(readlink "$file") ;;
		*) target=$file ;;
		esac
		[ ! -e "$target" ] || cp -L --preserve=mode "$target" "$root/${file#"$from/"}"
	done <<<"$list"
	# Debian 13 has it below /usr, with links outside, which are not here.
	for file in "$root"/usr/lib{,64}/ld-linux*; do
		[ ! -e "$file" ] || install -D "$file" "$root/${file#"$root/usr/"}"
	done
	mkdir -p "$root/usr/lib/xen"
	ln -s "../xen-$XEN_VERSION/bin" "$root/usr/lib/xen/bin"
	archive "$root" "$2"
	rm -rf "$root"
}

# cached_image NAME HASH MAKE ARGUMENT...: the path of an image in the cache,
# made by MAKE when what it is made of has changed.
cached_image() {
	local name=$1 hash=$2 file
	shift 2
	file=$LAB_CACHE/images/$name-${hash:0:16}.cpio
	if [ ! -e "$file" ]; then
		say "building the memory disk: $name"
		mkdir -p "$LAB_CACHE/images"
		rm -f "$LAB_CACHE/images/$name"-*
		"$@" "$RUN/new.cpio"
		mv "$RUN/new.cpio" "$file.new"
		mv "$file.new" "$file"
	fi
	printf '%s\n' "$file"
}

hash_of() {
	cat "$@" | sha256sum
}

# The parts that are the same in every run.
# base_image NAME ARCH KERNEL [MODULE]...
base_image() {
	local name=$1
	shift
	cached_image "$name-$1-$2" \
		"$(hash_of "$(kernel_dir "$1" "$2")/.packages" "$LAB_CACHE/$1/busybox/.packages" \
			"$LAB_DIR/lib/image.sh" "$LAB_DIR"/guest/*)" \
		make_base "$@"
}

tools_image() {
	local dir
	dir=$(xen_dir "$1" tools)
	cached_image "$(basename "$dir")-$1" \
		"$(hash_of "$dir/.packages" "$LAB_DIR/lib/image.sh")" \
		make_tools "$1"
}

# quote WORD...: as a POSIX shell reads them back.
quote() {
	local word between=''
	for word; do
		printf "%s'%s'" "$between" "${word//\'/\'\\\'\'}"
		between=' '
	done
}

# add_c_library FOLDER: the one that the programs of --file are built with, this
# system's or the cross compiler's, if it is newer than the one that comes with
# Xen's tools; these do with it, too.
add_c_library() {
	local triplet package=libc6 root='' theirs ours file
	case $arch in
	amd64) triplet=x86_64-linux-gnu ;;
	arm64) triplet=aarch64-linux-gnu ;;
	esac
	[ "$arch" = "$(dpkg --print-architecture)" ] || package=libc6-$arch-cross root=/usr/$triplet
	ours=$(dpkg-query -W -f '${Version}' "$package" 2>/dev/null) || return 0
	theirs=$(sed -n 's/^libc6_\(.*\)_[^_]*$/\1/p' "$(xen_dir "$arch" tools)/.packages")
	dpkg --compare-versions "$ours" gt "$theirs" || return 0
	for file in "$root"/lib/{"$triplet"/,}lib{c,m,dl,rt,util,pthread,resolv}.so.[0-9]; do
		[ ! -e "$file" ] || install -D -m 755 "$file" "$1/lib/$triplet/${file##*/}"
	done
	for file in "$root"/lib{,64}/ld-linux-{x86-64,aarch64}.so.[0-9]; do
		[ ! -e "$file" ] || install -D -m 755 "$file" "$1${file#"$root"}"
	done
}

# job_image GUEST FILE: this run's part: the command, its files, the driver.
job_image() {
	local root file
	root=$(mktemp -d "$RUN/job.XXXXXX")
	mkdir -p "$root"/{lab.run,lab,lib/lab/domu} "$root/lib/lab/$driver"
	{
		printf '%s=%s\n' LAB_GUEST "$1" LAB_ARCH "$arch" LAB_DRIVER "$driver" \
			LAB_KERNEL "$kernel" LAB_CPUS "$cpus" \
			LAB_LIMIT "$limit" LAB_INTERACTIVE "$interactive"
		printf 'LAB_MODULES="%s"\n' "${LOADED_MODULES[*]}"
		if [ "$1" = dom0 ]; then
			printf 'LAB_DOMU=%s\nLAB_BESIDE=%s\n' "$domu" "$(quote "$beside")"
		fi
		if [ "$interactive" = 1 ]; then
			stty size </dev/tty 2>/dev/null |
				sed 's/\(.*\) \(.*\)/LAB_ROWS=\1 LAB_COLUMNS=\2/'
		fi
	} >"$root/lab.run/job"
	printf 'exec %s\n' "$(quote "${command[@]}")" >"$root/lab.run/command"
	for file in "${files[@]}"; do
		cp -RL "$file" "$root/lab/"
	done
	[ ${#files[@]} = 0 ] || add_c_library "$root"
	[ -z "$module" ] || cp "$module" "$root/lib/lab/$driver/xen-gntdev.ko"
	if [ "$1" = dom0 ] && [ -n "$domu" ]; then
		ln "$RUN/domu" "$root/lib/lab/domu/initrd"
		cp "$(kernel_dir "$arch" "$kernel")/image" "$root/lib/lab/domu/image"
	fi
	archive "$root" "$2"
	rm -rf "$root"
}

# The memory disk of dom0, with that of its guest inside, in RUN/initrd. The job is
# the last: what lies in two is taken from there, so that a C library and its loader
# are one.
make_initrd() {
	local base tools backend=''
	base=$(base_image base "$arch" "$kernel")
	tools=$(tools_image "$arch")
	[ -z "$with_qemu" ] || backend=$(qemu_image "$arch")
	if [ -n "$domu" ]; then
		job_image "$domu" "$RUN/job"
		cat "$base" "$tools" "$RUN/job" >"$RUN/domu"
	fi
	[ -z "$display" ] ||
		base=$(base_image display "$arch" "$kernel" "${DISPLAY_MODULES[@]}")
	job_image dom0 "$RUN/job"
	cat "$base" "$tools" ${backend:+"$backend"} "$RUN/job" >"$RUN/initrd"
}
