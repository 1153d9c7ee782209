# SPDX-License-Identifier: MIT
# Prints what zsh offers for a line:  zsh -f complete.zsh DIRECTORY LINE
#
# An interactive zsh on a terminal of its own gets the line, and a key that completes it. What completion adds, it adds through
# compadd, which is replaced here by one that also prints.
zmodload zsh/zpty
zpty shell "ZDOTDIR=/nonexistent TERM=dumb PS1= PS2= zsh -f -i"
zpty -w shell "stty -echo; fpath=(${(q)1} \$fpath)"
zpty -w shell '
autoload -Uz compinit && compinit -u -D
compadd() {
	local -a hits
	if [[ " ${@[1,(i)(-|--)]} " == *" -"[a-zA-Z]#[OAD]" "* ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A hits "$@"
	builtin compadd "$@"
	local status_=$?
	(( $#hits )) && print -rl -- "<"${^hits}">"
	return status_
}
offer() {
	_main_complete
	print -r -- "<>"
	compstate[insert]= compstate[list]=
}
zle -C offer complete-word offer
bindkey "^X" offer
setopt extended_glob
print -r -- "<ready"">"'
while zpty -r shell line && [[ $line != *'<ready>'* ]]; do :; done
zpty -w -n shell "$2"$'\x18'
while zpty -r shell line && [[ $line != *'<>'* ]]; do
	[[ $line =~ '<(.*)>' ]] && print -r -- $match[1]
done
zpty -d shell
