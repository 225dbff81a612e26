#compdef dialtone
# zsh completion of dialtone: the program itself says which commands and flags it has.
local -a offer
local help=
if (( CURRENT == 2 )); then
	offer=(${(f)"$(dialtone help | sed -n 's/^  \([a-z]*\) .*/\1/p')"})
elif [[ ${words[CURRENT]} == -* ]]; then
	help=$(dialtone ${words[2]} --help 2>&1)
	[[ $help == "usage: dialtone "* && $CURRENT -gt 3 ]] && help=$(dialtone ${words[2]} ${words[3]} --help 2>&1)
	offer=(${(f)"$(print -r -- $help | sed -n 's/^  -\([a-z0-9._-]*\).*/--\1/p')"})
elif (( CURRENT == 3 )); then
	offer=(${(f)"$(dialtone ${words[2]} --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p')"})
fi
if (( $#offer )); then
	compadd -- $offer
else
	_files
fi
