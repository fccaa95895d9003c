# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
# Gets Debian packages of any architecture and unpacks them into the cache,
# without installing them and without touching the system's own lists.
#
# A component is a folder of the cache that holds unpacked packages:
#   ARCH/xen        the hypervisor
#   ARCH/kernel     the kernel's image and modules
#   ARCH/headers    what builds a module for that kernel
#   ARCH/busybox    a static busybox
#   ARCH/tools      xl, xenstored, xenconsoled and the libraries they need
#   ARCH/qemu       QEMU as a backend in dom0, and the libraries it needs
#   ARCH/kernel-6.12, ARCH/headers-6.12
#                   a newer kernel, of Debian 13
#   ARCH/kernel-7.3, ARCH/headers-7.3
#                   the newest that there is for Debian 13
#   ARCH/source-7.3 its source
#   ARCH/headers-6.1-rt, ARCH/headers-6.12-rt, ARCH/headers-7.3-rt
#                   the same for kernels of the real-time flavour
#   ARCH/xen-4.20, ARCH/tools-4.20
#                   Debian 13's hypervisor, and the tools that go with it
# It appears complete or not at all; once it is there nothing is downloaded.

DEBIAN_RELEASE=bookworm
XEN_VERSION=4.17
COMPONENTS=(xen kernel headers busybox tools qemu kernel-6.12 headers-6.12 kernel-7.3 headers-7.3 xen-4.20 tools-4.20)

# Where this system gets its Debian packages from, for the given kind of
# archive (debian or debian-security).
mirror() {
	local uri
	uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
		/etc/apt/sources.list.d/*.sources 2>/dev/null |
		sed '/^[[:space:]]*#/d' |
		grep -oE "(https?|mirror\+[a-z]+|file|copy)://?[^][:space:]]*/$1/?( |\$)" |
		head -n 1 | tr -d ' ') || true
	printf '%s\n' "${uri:-http://deb.debian.org/$1}"
}

# The folder of apt for an architecture, of $DEBIAN_RELEASE: see component.
apt_dir() {
	case $DEBIAN_RELEASE in
	bookworm) printf '%s\n' "$LAB_CACHE/apt/$1" ;;
	*) printf '%s\n' "$LAB_CACHE/apt/$1-$DEBIAN_RELEASE" ;;
	esac
}

# apt with lists, state and downloads of its own: apt ARCH TOOL ARGUMENTS...
private_apt() {
	local arch=$1 tool=$2
	shift 2
	APT_CONFIG=$(apt_dir "$arch")/apt.conf "$tool" "$@" 8>&-
}

# Writes the private configuration of apt and fetches the package lists.
open_archive() {
	local arch=$1 dir options release keys=/usr/share/keyrings/debian-archive-keyring.gpg
	dir=$(apt_dir "$arch")
	[ -z "${lists_ready[$dir]:-}" ] || return 0
	need apt-get apt
	need dpkg-deb dpkg
	[ -e "$keys" ] || unready "$keys is missing: apt-get install debian-archive-keyring"
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial" "$dir/debs"
	options="arch=$arch signed-by=$keys"
	release=${DEBIAN_RELEASE%-backports}
	cat >"$dir/sources.list" <<-EOT
		deb [$options] $(mirror debian) $release main
		deb [$options] $(mirror debian) $release-updates main
		deb [$options] $(mirror debian-security) $release-security main
	EOT
	[ "$release" = "$DEBIAN_RELEASE" ] ||
		echo "deb [$options] $(mirror debian) $DEBIAN_RELEASE main" >>"$dir/sources.list"
	: >"$dir/status"
	cat >"$dir/apt.conf" <<-EOT
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "-";
		Dir::Etc::Preferences "-";
		Dir::Etc::PreferencesParts "-";
		Dir::State "$dir";
		Dir::State::Lists "$dir/lists";
		Dir::State::Status "$dir/status";
		Dir::Cache "$dir/cache";
		APT::Architecture "$arch";
		#clear APT::Architectures;
		APT::Architectures { "$arch"; };
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Acquire::Retries "3";
	EOT
	say "fetching Debian's package lists for $arch ($DEBIAN_RELEASE)"
	private_apt "$arch" apt-get -qq update >"$dir/update.log" 2>&1 || {
		tail -n 3 "$dir/update.log" >&2
		unready "cannot fetch Debian's package lists from $(mirror debian): is the network there?"
	}
	lists_ready[$dir]=1
}
declare -A lists_ready

# field ARCH PACKAGE FIELD: one field of a package's record.
package_field() {
	private_apt "$1" apt-cache --no-all-versions show "$2" 2>/dev/null |
		sed -n "s/^$3: //p" | sed -n 1p
}

# kernel_release ARCH: the release that linux-image-ARCH stands for; of backports,
# which it never does, the newest of $KERNEL for any machine.
kernel_release() {
	local release
	case $DEBIAN_RELEASE in
	*-backports)
		release=$(private_apt "$1" apt-cache pkgnames "linux-image-$KERNEL." |
			grep -E "^linux-image-[0-9.]+\+deb[0-9]+-$1\$" | sort -V | tail -n 1) || true
		;;
	*)
		release=$(package_field "$1" "linux-image-$1" Depends |
			grep -oE "linux-image-[^ ,]+" | sed -n 1p) || true
		;;
	esac
	[ -n "$release" ] || unready "no kernel $KERNEL is in Debian's package lists ($DEBIAN_RELEASE, $1)"
	printf '%s\n' "${release#linux-image-}"
}

# has_room MEGABYTES: enough free space in the cache?
has_room() {
	local free
	free=$(df -Pm "$LAB_CACHE" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge "$1" ] ||
		unready "$LAB_CACHE has $free MB free, $1 MB are needed (GNTDEV_CACHE names another folder)"
}

# unpack ARCH FOLDER PACKAGE...: downloads the packages and unpacks them there.
unpack() {
	local arch=$1 into=$2 package size deb debs
	debs=$(apt_dir "$arch")/debs
	shift 2
	for package; do
		size=$(package_field "$arch" "$package" Size)
		[ -n "$size" ] || unready "package $package ($arch) is not in Debian's package lists"
		size=$(((size + 999999) / 1000000))
		has_room $((size * 8 + 50))
		say "fetching $package, $arch ($size MB)"
		# apt-get checks the archive's signatures and each file's hash.
		(cd "$debs" && private_apt "$arch" apt-get -qq download "$package") \
			>"$debs/download.log" 2>&1 || {
			tail -n 3 "$debs/download.log" >&2
			unready "cannot download $package ($arch): is the network there?"
		}
		deb=$(ls "$debs/${package}"_*.deb)
		dpkg-deb -x "$deb" "$into"
		basename "$deb" .deb >>"$into/.packages"
		rm -f "$deb"
	done
}

# component ARCH NAME: makes sure that it is in the cache, made as it is now.
component() {
	local arch=$1 name=$2 maker recipe piece
	local DEBIAN_RELEASE=$DEBIAN_RELEASE XEN_VERSION=$XEN_VERSION KERNEL=6.1
	maker=fetch_${name%%-*}
	case $name in
	headers-*-rt) maker=fetch_rt_headers KERNEL=${name#*-} KERNEL=${KERNEL%-rt} ;;
	*-4.20) DEBIAN_RELEASE=trixie XEN_VERSION=4.20 ;;
	*-*) KERNEL=${name#*-} ;;
	esac
	case $KERNEL in
	6.12) DEBIAN_RELEASE=trixie ;;
	7.3) DEBIAN_RELEASE=trixie-backports ;;
	esac
	recipe=$(declare -f "$maker" | sha256sum)
	[ "$(cat "$LAB_CACHE/$arch/$name/.recipe" 2>/dev/null)" != "$recipe" ] || return 0
	open_archive "$arch"
	piece=$(new_piece)
	"$maker" "$arch" "$piece"
	printf '%s\n' "$recipe" >"$piece/.recipe"
	publish "$piece" "$arch/$name"
}

fetch_xen() {
	unpack "$1" "$2" "xen-hypervisor-$XEN_VERSION-$1"
	case $1 in
	amd64) gunzip -c "$2/boot/xen-$XEN_VERSION-amd64.gz" >"$2/xen" ;;
	arm64)
		local image="$2/boot/xen-$XEN_VERSION-arm64"
		if [ -e "$image.gz" ]; then gunzip -c "$image.gz" >"$2/xen"; else cp "$image" "$2/xen"; fi
		;;
	esac
}

# From 7.2 on, image and modules are packages of their own, and all lies with the
# modules; in the newer releases of Debian, all that lies below /usr.
fetch_kernel() {
	local release image
	need depmod kmod
	release=$(kernel_release "$1")
	if [ -n "$(package_field "$1" "linux-modules-$release" Size)" ]; then
		unpack "$1" "$2" "linux-base-$release" "linux-binary-$release" "linux-modules-$release"
		image=usr/lib/modules/$release/vmlinuz
	else
		unpack "$1" "$2" "linux-image-$release"
		image=boot/vmlinuz-$release
	fi
	[ -e "$2/lib" ] || ln -s usr/lib "$2/lib"
	case $1 in
	amd64) unwrap_image "$2/$image" "$2/image" ;;
	arm64) ln -s "$image" "$2/image" ;;
	esac
	printf '%s\n' "$release" >"$2/release"
	depmod -b "$2" "$release" 2>/dev/null ||
		unready "depmod cannot index the modules of $release"
}

# The ELF file inside an x86 boot image, which gives the place and length of
# its archive at 0x248. Xen takes it as it is; the emulated machine would need
# five seconds to decompress it, at each boot.
unwrap_image() {
	local sectors place unpacker
	sectors=$(od -A n -t u1 -j $((0x1f1)) -N 1 "$1")
	read -ra place < <(od -A n -t u4 -j $((0x248)) -N 8 "$1")
	place[0]=$(((sectors + 1) * 512 + place[0]))
	case $(od -A n -t x1 -j "${place[0]}" -N 4 "$1") in
	' fd 37 7a 58') unpacker=xz && need xz xz-utils ;;
	' 28 b5 2f fd') unpacker=zstd && need zstd zstd ;;
	*) unready "$1 is not the boot image that was expected (xz or zstd inside)" ;;
	esac
	# After the archive come four bytes with the length of its content.
	dd if="$1" bs=64K iflag=skip_bytes,count_bytes status=none \
		skip="${place[0]}" count=$((place[1] - 4)) |
		"$unpacker" -dc >"$2" ||
		unready "the $unpacker archive in $1 cannot be unpacked"
}

fetch_busybox() {
	unpack "$1" "$2" busybox-static
}

# The tools (kbuild) run on this host.
fetch_headers() {
	local arch=$1 into=$2 host kernel=kernel release common
	[ "$KERNEL" = 6.1 ] || kernel=kernel-$KERNEL
	host=$(dpkg --print-architecture)
	release=$(cat "$LAB_CACHE/$arch/$kernel/release")
	common=linux-headers-${release%-"$arch"}-common
	unpack "$arch" "$into" "linux-headers-$release" "$common"
	open_archive "$host"
	case $DEBIAN_RELEASE in
	bookworm) unpack "$host" "$into" "linux-kbuild-${release%%.0-*}" ;;
	*) fetch_newer_tools "$host" "$into" "linux-kbuild-${release%-"$arch"}" ;;
	esac
	settle_headers "$into" "$release" "$common"
}

# Of the real-time flavour; what builds with them is what the other headers of that
# kernel have.
fetch_rt_headers() {
	local arch=$1 into=$2 suffix='' release common tools
	[ "$KERNEL" = 6.1 ] || suffix=-$KERNEL
	release=$(cat "$LAB_CACHE/$arch/kernel$suffix/release")
	release=${release%-"$arch"}-rt-$arch
	common=$(package_field "$arch" "linux-headers-$release" Depends |
		grep -oE 'linux-headers-[^ ,]+-common[^ ,]*' | sed -n 1p)
	[ -n "$common" ] || unready "linux-headers-$release is not in Debian's package lists"
	unpack "$arch" "$into" "linux-headers-$release" "$common"
	mkdir -p "$into/usr/lib"
	for tools in "$LAB_CACHE/$arch/headers$suffix"/usr/lib/linux-kbuild-*; do
		ln -s "../../../headers$suffix/usr/lib/${tools##*/}" "$into/usr/lib/"
	done
	settle_headers "$into" "$release" "$common"
}

# settle_headers FOLDER RELEASE COMMON: their own files name each other, and some their
# own folder, by where they would be installed; here they lie elsewhere.
settle_headers() {
	local headers=$1/usr/src/linux-headers-$2 here=HERE
	[ "$KERNEL" = 6.1 ] || suit_older_compiler "$headers"
	! grep -q KBUILD_OUTPUT "$headers/Makefile" || here=KBUILD_OUTPUT
	# shellcheck disable=SC2016 # make expands
	printf '%s := $(realpath $(dir $(lastword $(MAKEFILE_LIST))))\ninclude $(%s)/../%s/Makefile\n' \
		"$here" "$here" "$3" >"$headers/Makefile"
	ln -s "usr/src/linux-headers-$2" "$1/build"
}

# A newer release's build tools need its C library: they get it beside them.
fetch_newer_tools() {
	local host=$1 into=$2 tools=$3 file
	unpack "$host" "$into" "$tools"
	mkdir "$into/host"
	unpack "$host" "$into/host" libc6 libelf1t64 zlib1g libzstd1
	find "$into/usr/lib/$tools" -type f -perm -100 | while read -r file; do
		head -c 4 "$file" | grep -q ELF || continue
		mv "$file" "$file.elf"
		wrapper "$into" >"$file"
		chmod 755 "$file"
	done
}

# The compiler is this system's, and may be older than the one that built the kernel:
# what only the newer one knows is taken out of the configuration, as it would be if
# the kernel were configured here: it aligns cold functions too, so with the older one
# none may be marked as cold. No type information for modules either: the program
# that makes it is not here.
suit_older_compiler() {
	sed -i -E '/\bCONFIG_CC_HAS_(MIN|SANE)_FUNCTION_ALIGNMENT\b/d' \
		"$1"/include/{config/auto.conf,generated/autoconf.h}
	sed -i '/^CONFIG_DEBUG_INFO_BTF_MODULES=/d' "$1/include/config/auto.conf"
}

# Packed, as it comes.
fetch_source() {
	unpack "$1" "$2" "linux-source-$KERNEL"
	ln -s "usr/src/linux-source-$KERNEL.tar.xz" "$2/source.tar.xz"
}

# wrapper FOLDER: a script that runs the program NAME.elf beside it with the
# loader and the libraries in FOLDER/host, wherever FOLDER is by then. The name
# is kept, as objtool finds another program by its own.
wrapper() {
	local loader
	loader=$(cd "$1" && find host/usr/lib -name 'ld-linux*' -print -quit)
	cat <<-EOT
		#!/bin/sh
		self=\$(readlink -f "\$0")
		top=\${self%/usr/lib/linux-kbuild-*}
		exec "\$top/$loader" --argv0 "\$self" --library-path "\$top/${loader%/*}" "\$self.elf" "\$@"
	EOT
}

# xl, xenstored and xenconsoled with every library that they need.
fetch_tools() {
	unpack "$1" "$2" "xen-utils-$XEN_VERSION" xenstore-utils \
		libxencall1 libxendevicemodel1 libxenevtchn1 libxenforeignmemory1 \
		libxengnttab1 libxenhypfs1 "libxenmisc$XEN_VERSION" libxenstore4 \
		libxentoolcore1 libxentoollog1 libyajl2 libfdt1 liblzma5 libuuid1 zlib1g \
		libzstd1 libgcc-s1 libc6
}

# QEMU of Xen's own kind, whose backends run in dom0; what dom0 has already as
# fetch_tools put it there comes again, as each disk is looked through by itself.
fetch_qemu() {
	[ "$1" = amd64 ] || unready "QEMU as a backend: only on amd64"
	unpack "$1" "$2" qemu-system-xen libbz2-1.0 libc6 libdw1 libelf1 libfdt1 libffi8 \
		libgcc-s1 libglib2.0-0 libgstreamer-plugins-base1.0-0 libgstreamer1.0-0 \
		libjpeg62-turbo liblz4-1 liblzma5 libopus0 liborc-0.4-0 libpcre2-8-0 \
		libpixman-1-0 libsasl2-2 libspice-server1 libssl3 libstdc++6 libudev1 \
		libunwind8 libusb-1.0-0 libxencall1 libxendevicemodel1 libxenevtchn1 \
		libxenforeignmemory1 libxengnttab1 libxenmisc4.17 libxenstore4 \
		libxentoolcore1 libxentoollog1 zlib1g
}
