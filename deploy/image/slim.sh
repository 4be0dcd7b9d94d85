#!/bin/sh
# Run in the image of Python: copies what the services need of Python to /slim, without pip, tests and headers. Modules
# whose libraries nobody needs (SQLite, readline, curses, Tk) are left out. Other libraries that Python's own modules
# link to come along; those in the list of `grep` are in the final image.
set -eu
name=$(python -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
mkdir -p /slim/bin /slim/lib
cp -P /usr/local/bin/python /usr/local/bin/python3 "/usr/local/bin/$name" /slim/bin/
cp -a /usr/local/lib/libpython*.so* "/usr/local/lib/$name" /slim/lib/
cd "/slim/lib/$name"
rm -rf site-packages ensurepip idlelib tkinter turtledemo pydoc_data test config-* __phello__ sqlite3 curses dbm
cd lib-dynload
rm -f _tkinter* _sqlite3* readline* _curses* _dbm* _gdbm* _test* _ctypes_test* xx*
ldd "/slim/bin/$name" ./*.so | awk '$2 == "=>" { print $3 }' | sort -u |
    grep -vE '/(libc|libm|libdl|libpthread|librt|libssl|libcrypto|libgcc_s|libstdc\+\+|libpython[0-9.]*)\.so' |
    xargs -r cp -L -t /slim/lib
python -m compileall -q --invalidation-mode unchecked-hash "/slim/lib/$name" || true
