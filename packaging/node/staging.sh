# shellcheck shell=bash
# The files as they shall be lie under $new by their full paths; one that is not there is to be removed. $changes names them
# in the order in which they are put.

new=$work/new
changes=()

# want FILE: the new text of it comes on standard input.
want() { mkdir -p "$new$(dirname "$1")"; cat > "$new$1"; }

# change FILE: once only.
change() { case " ${changes[*]-} " in *" $1 "*) ;; *) changes+=("$1") ;; esac; }

forget_changes() { rm -rf "$new"; changes=(); }

differs() {
  if [ -e "$new$1" ]; then
    if cmp -s "$1" "$new$1"; then return 1; fi
  else
    [ -e "$1" ]
  fi
}

# Only those that differ stay.
settle() {
  local file some=()
  for file in "${changes[@]}"; do if differs "$file"; then some+=("$file"); fi; done
  changes=("${some[@]+"${some[@]}"}")
}

show() {
  local file from to
  [ ${#changes[@]} -gt 0 ] || say "Nothing to change."
  for file in "${changes[@]+"${changes[@]}"}"; do
    from=$file to=$new$file
    [ -e "$from" ] || from=/dev/null
    [ -e "$to" ] || to=/dev/null
    diff -u --label "$file" --label "$file" "$from" "$to" || true
  done
}

# put FILE: at once or not at all.
put() {
  local to=$1 part=$1.paceline-part
  if [ ! -e "$new$to" ]; then
    rm -f "$to"
    case $(dirname "$to") in
      */conf.d | */_default | */containerd.service.d) rmdir --ignore-fail-on-non-empty "$(dirname "$to")" ;;
    esac
    return
  fi
  mkdir -p "$(dirname "$to")"
  rm -f "$part"
  if [ -e "$to" ]; then cp --preserve=mode,ownership "$to" "$part"; else install -m 0644 /dev/null "$part"; fi
  cat "$new$to" > "$part"
  sync "$part"
  mv -f "$part" "$to"
}

# sweep: what a run that was killed left half written, in the folders on standard input.
sweep() {
  local folder
  while read -r folder; do
    [ ! -d "$folder" ] || find "$folder" -name '*.paceline-part' -type f -delete
  done
}

apply() {
  local file
  for file in "${changes[@]}"; do
    put "$file"
    say "  $([ -e "$file" ] && echo wrote || echo removed) $file"
  done
}
