# SPDX-License-Identifier: MIT
# fish's completion for ivpipe. Verbs, options and what they want are read from `ivpipe help` when the first word of a shell is
# completed, so nothing here can fall behind the helper.

# Values of one key in a JSON document. Whatever needs quotes is left to be typed.
function __ivpipe_json
    sed -nE 's/^ *"'$argv[1]'": "([A-Za-z0-9_.,:@%+\/-]+)",?$/\1/p' | sort -u
end

function __ivpipe_regions
    ivpipe list --json 2>/dev/null | __ivpipe_json path
    __fish_complete_path (commandline -ct | string replace -r -- '^(--region=|-r)' '')
end

function __ivpipe_services
    set -l words (commandline -opc)
    set -l region
    for i in (seq 3 (count $words))
        switch $words[$i]
            case -r --region
                set -q words[(math $i + 1)]; and set region -r $words[(math $i + 1)]
            case '--region=*'
                set region -r (string replace -- --region= '' $words[$i])
        end
    end
    ivpipe info --json $region 2>/dev/null | __ivpipe_json service
end

# The condition for a verb, of one word or of two.
function __ivpipe_in
    string join '; and ' "__fish_seen_subcommand_from "(string split ' ' -- $argv[1])
end

# __ivpipe_option VERB LETTER NAME WANTS ABOUT
function __ivpipe_option
    set -l options -c ivpipe -n (__ivpipe_in $argv[1]) -l $argv[3] -d $argv[5]
    test -n "$argv[2]"; and set options $options -s $argv[2]
    switch $argv[4]:$argv[3]
        case ':*'
            complete $options
        case 'REGION:*'
            complete $options -x -a '(__ivpipe_regions)'
        case 'FILE:*'
            complete $options -r -F
        case NAME:service
            complete $options -x -a '(__ivpipe_services)'
        case 'ADDRESS:*'
            complete $options -x -a "$(string match -ra '[a-z]+:(?=[A-Z])' -- $argv[5])"
        case 'D:*'
            complete $options -x -a forever
        case '*'
            complete $options -x
    end
end

function __ivpipe_verb
    # Groups that always take part: others are left out of what is matched.
    set -l option '^  (-.,|   ) --([a-z-]+)(?:\[=[A-Z]+\])?((?: [A-Z][A-Z,.]*)?) +(.*)$'
    for line in (ivpipe help (string split ' ' -- $argv[1]) 2>/dev/null)
        switch $line
            case 'usage:*REGION*'
                complete -c ivpipe -n (__ivpipe_in $argv[1]) -a '(__ivpipe_regions)'
            case 'usage:*FILE*'
                complete -c ivpipe -n (__ivpipe_in $argv[1]) -F
        end
        set -l operands (string match -r '^usage: .* ([a-z|]+)$' -- $line)
        and complete -c ivpipe -n (__ivpipe_in $argv[1]) -a "$(string replace -a '|' ' ' -- $operands[2])"
        set -l parts (string match -r -- $option $line)
        and __ivpipe_option $argv[1] (string trim -c ' -,' -- $parts[2]) $parts[3] (string trim -- $parts[4]) $parts[5]
    end
end

complete -c ivpipe -f
# Some verbs are two words, as the only ones with one space between them.
for line in (ivpipe help 2>/dev/null | string match -r '^  [a-z].*')
    set -l verb (string match -r '^  ([a-z]+(?: [a-z]+)?) +([a-z].*)$' -- $line)
    or continue
    set -l words (string split ' ' -- $verb[2])
    if set -q words[2]
        complete -c ivpipe -n '__fish_use_subcommand; or test (commandline -opc)[-1] = help' -a $words[1]
        complete -c ivpipe -n "test (commandline -opc)[-1] = $words[1]" -a $words[2] -d $verb[3]
    else
        complete -c ivpipe -n '__fish_use_subcommand; or test (commandline -opc)[-1] = help' -a $verb[2] -d $verb[3]
    end
    __ivpipe_verb $verb[2]
end
