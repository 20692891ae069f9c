# shellcheck shell=bash
# Completion of engram in bash: commands, options, what can be listed, and parameters with their choices as `engram list` shows them.
# Needs nothing of the bash-completion package, which finds it in share/bash-completion/completions; else: source it.

# Options of a command, as engram COMMAND --help has them.
_engram_options() {
  case $1 in
    train) echo '-o -P --overwrite --resume --max-hours --quiet' ;;
    test) echo '-o -P --overwrite --best --trials --skip-trials --ranks-per-trial --delete-neurons --delete-synapses --delete-unit-synapses --shuffle-synapses --noise --delete-spike --spikes --quiet' ;;
    check) echo '-P' ;;
    plan) echo '-P --ranks --ranks-per-node --memory-per-node --machine --rate --sbatch --csv -o --overwrite' ;;
    calibrate) echo '-o --name --memory-per-node --quick --overwrite --quiet' ;;
    watch) echo '--every --once -o' ;;
    status | list | help) ;;
    *) echo '--help --version' ;;
  esac
}

# Names of systems, sections, kinds, models and rules, or section.key= and, where there is a choice, section.key=value: from `PROGRAM list`, asked once for each program.
_engram_list() {
  if [[ ${_engram_listed_by-} != "$1" ]]; then
    _engram_listed=$("$1" list 2>/dev/null) || return
    _engram_listed_by=$1
  fi
  awk -v what="$2" '
    /^Learning system/ { head = 1; next }
    /^engram list/ { head = 0 }
    head && what == "names" { print $1 }
    /^[a-z_]+: / { section = $1; sub(":", "", section); if (what == "names") print section }
    /^  [a-z_]+: / && what == "names" { print $2 }
    what == "names" { next }
    /^  [a-z_]+: / { key = $1; sub(":", "", key); print section "." key "="; print section "." key "=" $2 }
    /^    key  / { rows = 1; next }
    /^ *$/ { rows = 0 }
    rows && /^    [a-z_]/ {
      count = split(substr($0, 5), cell, /  +/)
      print section "." cell[1] "="
      if (cell[2] == "choice" || cell[2] == "flag") {
        choices = split(cell[5], choice, / \| /)
        for (c = 1; c <= choices; c++) print section "." cell[1] "=" choice[c]
      }
    }' <<<"$_engram_listed" | sort -u
}

# Parameters that begin with WORD: keys until there is a =, then values.
_engram_parameters() {
  local parameter
  while IFS= read -r parameter; do
    if [[ $2 == *=* && $parameter != *= || $2 != *=* && $parameter == *= ]]; then echo "$parameter"; fi
  done < <(_engram_list "$1" parameters)
}

_engram() {
  local line=${COMP_LINE:0:COMP_POINT} program command='' word previous='' argument=0 at words=()
  read -ra words <<<"$line"
  program=${words[0]/#\~/$HOME}
  if [[ $line == *[[:space:]] ]]; then words+=(''); fi
  local last=$((${#words[@]} - 1))
  word=${words[last]}
  COMPREPLY=()

  for ((at = 1; at < last; at++)); do # what stands before the word
    previous=${words[at]}
    case $previous in
      -o | -P | --ranks | --ranks-per-node | --memory-per-node | --machine | --rate | --every | --sbatch | --csv | --name | --resume | --max-hours | --trials | --skip-trials | --ranks-per-trial | --delete-neurons | --delete-synapses | --delete-unit-synapses | --shuffle-synapses | --noise | --delete-spike | --spikes) ((++at < last)) && previous='' ;;
      -*) previous='' ;;
      *) if [[ -z $command ]]; then command=$previous; else argument=1; fi; previous='' ;;
    esac
  done

  case $previous in
    -P) mapfile -t COMPREPLY < <(compgen -W "$(_engram_parameters "$program" "$word")" -- "$word") ;;
    -o | --resume)
      if [[ $previous == -o && $command =~ ^(test|calibrate|watch)$ ]]; then mapfile -t COMPREPLY < <(compgen -f -- "$word"); else mapfile -t COMPREPLY < <(compgen -d -- "$word"); fi
      compopt -o filenames 2>/dev/null ;;
    --machine | --sbatch)
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      compopt -o filenames 2>/dev/null ;;
    --spikes) mapfile -t COMPREPLY < <(compgen -W 'all none' -- "$word") ;;
    -*) ;; # a number
    *)
      if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_engram_options "$command")" -- "$word")
      elif [[ -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W 'train test check plan calibrate status watch list' -- "$word")
      elif [[ $command == help ]]; then
        if ((!argument)); then mapfile -t COMPREPLY < <(compgen -W 'train test check plan calibrate status watch list' -- "$word"); fi
      elif [[ $command == status ]]; then # as many folders as there are
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
      elif ((argument)); then
        :
      elif [[ $command == calibrate ]]; then
        :
      elif [[ $command == list ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$(_engram_list "$program" names)" -- "$word")
      elif [[ $command =~ ^(test|watch)$ ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
        compopt -o filenames 2>/dev/null
      else
        mapfile -t COMPREPLY < <(compgen -d -- "$word"; compgen -f -X '!*.yaml' -- "$word"; compgen -f -X '!*.yml' -- "$word")
        compopt -o filenames 2>/dev/null
      fi ;;
  esac

  if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]]; then compopt -o nospace 2>/dev/null; fi
  if [[ $word == *=* && $COMP_WORDBREAKS == *=* ]]; then # bash replaces what follows the last =
    COMPREPLY=("${COMPREPLY[@]#"${word%"${word##*=}"}"}")
  fi
}
complete -F _engram engram
