# shellcheck shell=bash
# The files as they shall be lie under $new by their full paths; one that is not there is to be removed. $changes names them
# in the order in which they are put. What they were lies under $old, so that all can be taken back.

new=$work/new
old=$work/old
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

# part_of FILE: where it is written. Beside the real file: a link, as configuration management lays them, stays one.
part_of() { echo "$(readlink -m "$1").paceline-part"; }

# put FILE: at once or not at all. Of a link that is to be removed the link is, and what it means is someone else's.
put() {
  local to part folder
  if [ ! -e "$new$1" ]; then
    rm -f "$1"
    folder=$(dirname "$1")
    case $folder in
      */conf.d | */_default | */containerd.service.d) [ -L "$folder" ] || rmdir --ignore-fail-on-non-empty "$folder" ;;
    esac
    return
  fi
  part=$(part_of "$1")
  to=${part%.paceline-part}
  mkdir -p "$(dirname "$to")"
  rm -f "$part"
  if [ -e "$to" ]; then cp --preserve=mode,ownership "$to" "$part"; else install -m 0644 /dev/null "$part"; fi
  cat "$new$1" > "$part"
  sync "$part"
  mv -f "$part" "$to"
}

# sweep: what a run that was killed left half written, in the folders on standard input.
sweep() {
  local folder link
  while read -r folder; do
    [ -d "$folder" ] || continue
    find "$folder/" -name '*.paceline-part' -type f -delete
    while read -r link; do rm -f "$(part_of "$link")"; done < <(find "$folder/" -type l)
  done
}

# keep_old: before $changes are applied.
keep_old() {
  local file
  for file in "${changes[@]+"${changes[@]}"}"; do
    [ -e "$file" ] || continue
    mkdir -p "$old$(dirname "$file")"
    cat "$file" > "$old$file"
  done
}

# take_back: what was applied is undone, the last of it first.
take_back() {
  local file applied=("${changes[@]}")
  forget_changes
  for file in "${applied[@]}"; do
    [ ! -e "$old$file" ] || want "$file" < "$old$file"
    changes=("$file" "${changes[@]+"${changes[@]}"}")
  done
  settle
  apply
}

apply() {
  local file
  for file in "${changes[@]}"; do
    put "$file"
    say "  $([ -e "$file" ] && echo wrote || echo removed) $file"
  done
}
