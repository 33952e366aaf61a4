# How a zip is unpacked: in front of what needs it, and in the scripts of zips for batch systems.

# unpack ZIP FOLDER
unpack() {
    if have unzip; then unzip -q -o "$1" -d "$2"
    elif have bsdtar; then bsdtar -xf "$1" -C "$2"
    elif have busybox && busybox unzip 2>&1 | grep -q -i usage; then busybox unzip -q -o "$1" -d "$2"
    elif have python3; then python3 -m zipfile -e "$1" "$2"
    else
        echo 'no unpacker: install unzip, bsdtar, busybox or python3' >&2
        return 1
    fi
}
