# For busybox's shell: prints the same on Tollgate as on Linux (the file `expected` beside this one).
set -u
echo "one two  three" | tr 'a-z' 'A-Z' | wc -w
printf '%s\n' pear apple fig apple | sort | uniq -c | awk '{ print $2 "=" $1 }'
name=$(basename "$(dirname /usr/lib/thing)")
echo "substitution: $name $(( (1 << 10) - 24 )) $(echo a; echo b)"
echo first >file; echo second >>file
while read -r line; do echo "read: $line"; done <file
cat <<EOF >copy
here $name
EOF
cat copy file | sed -n '2p;$p'
ls missing 2>/dev/null; echo "status of ls: $?"
{ echo out; echo err >&2; } 2>errors | cat; echo "errors: $(cat errors)"
exec 5>five; echo "through five" >&5; exec 5>&-; cat five
false; echo "false: $?"; (exit 42); echo "subshell: $?"; ! true; echo "not true: $?"
sh -c 'kill -TERM $$'; echo "killed: $?"
true | false | true; echo "pipeline: $?"
(sleep 0.2; exit 7) & slow=$!
(exit 3) & quick=$!
wait $quick; echo "quick: $?"; wait $slow; echo "slow: $?"
trap 'echo "got USR1"' USR1
kill -USR1 $$; echo "after the signal"
sh -c 'trap "echo trapped; exit 9" TERM; kill -TERM $$; echo not reached'; echo "trap: $?"
(trap 'echo "leaving subshell"' EXIT; echo "in subshell"); echo "next: $?"
sleep 10 & kill $!; wait $!; echo "sleeper: $?"
count() { local i=0; while [ $i -lt "$1" ]; do i=$((i + 1)); echo $i; done; }
count 500 | tail -n 1; count 5 | head -n 2 | xargs echo head:
for word in a b c; do case $word in b) continue ;; *) echo "word $word" ;; esac; done
mkdir -p tree/branch; touch tree/branch/leaf tree/root; ln -s branch tree/link
find tree | sort; readlink tree/link; [ -d tree/link ] && echo "link to a folder"
mv tree/root tree/moved; rm -r tree/branch; ls -1 tree; rm -rf tree; [ -e tree ] || echo gone
yes | head -c 100000 | md5sum | cut -d ' ' -f 1
dd if=/dev/zero bs=1k count=300 2>/dev/null | wc -c
set -- x "y z" w; echo "$# arguments, the second is '$2'"; shift; echo "${1%z}|${2:-none}|${3:-none}"
seq 20 | (read -r a; read -r b; echo "read $a and $b, left $(wc -l)")
echo 'echo "script $0 $1"; exit 5' >run.sh; sh run.sh argument; echo "script: $?"
printf '#!/bin/sh\necho "by its first line: $*"\n' >direct; chmod +x direct; ./direct a b
