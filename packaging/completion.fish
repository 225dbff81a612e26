# fish completion of dialtone: the program itself says which commands and flags it has.
function __dialtone_offer
	set -l words (commandline -opc)
	set -l current (commandline -ct)
	if test (count $words) -eq 1
		dialtone help | sed -n 's/^  \([a-z]*\) .*/\1/p'
	else if string match -q -- '-*' $current
		set -l help (dialtone $words[2] --help 2>&1)
		if string match -q 'usage: dialtone *' "$help[1]"; and test (count $words) -gt 2
			set help (dialtone $words[2] $words[3] --help 2>&1)
		end
		printf '%s\n' $help | sed -n 's/^  -\([a-z0-9._-]*\).*/--\1/p'
	else if test (count $words) -eq 2
		dialtone $words[2] --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'
	end
end
complete -c dialtone -a '(__dialtone_offer)'
