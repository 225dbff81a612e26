# bash completion of dialtone: the program itself says which commands and flags it has.
_dialtone() {
	local cur=${COMP_WORDS[COMP_CWORD]} words
	if [ "$COMP_CWORD" -eq 1 ]; then
		words=$(dialtone help | sed -n 's/^  \([a-z]*\) .*/\1/p')
	elif [[ $cur == -* ]]; then
		words=$(dialtone "${COMP_WORDS[1]}" --help 2>&1)
		if [[ $words == "usage: dialtone "* && $COMP_CWORD -gt 2 ]]; then
			words=$(dialtone "${COMP_WORDS[1]}" "${COMP_WORDS[2]}" --help 2>&1)
		fi
		words=$(printf '%s\n' "$words" | sed -n 's/^  -\([a-z0-9._-]*\).*/--\1/p')
	elif [ "$COMP_CWORD" -eq 2 ]; then
		words=$(dialtone "${COMP_WORDS[1]}" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "$cur")
}
complete -F _dialtone dialtone
