# shellcheck shell=bash
# TOML as far as a line goes. Comments and the order of what is there stay; an added line ends in $mark, a replaced one
# stays above its successor after $was, so that both can be undone whatever else has been changed meanwhile.

mark='# added by paceline install'
was='#paceline-was#'

# value FILE TABLE KEY: a text or array that stands on one line; TABLE "" is the top level. Empty: none.
value() {
  [ -e "$1" ] || return 0
  awk -v table="$2" -v key="$3" '
    /^[ \t]*\[/ { here = $0; gsub(/^[ \t]*\[|\][ \t]*(#.*)?$/, "", here); gsub(/\047/, "\"", here); next }
    here == table && $0 ~ "^[ \t]*" key "[ \t]*=" {
      sub(/^[^=]*=[ \t]*/, ""); if ($0 !~ /^\[/) { sub(/[ \t]+#.*$/, ""); gsub(/^["\047]|["\047][ \t]*$/, "") }
      print; exit
    }' "$1"
}

has_version() { grep -qE '^version[ \t]*=' "$1"; }

# without_our_lines FILE
without_our_lines() {
  if grep -qF -e "$mark" -e "$was" "$1"; then
    awk -v mark="$mark" -v was="$was" '
      index($0, was) == 1 { print substr($0, length(was) + 1); next }
      index($0, mark) { next }
      { print }' "$1"
  else
    cat "$1"  # awk would end the last line.
  fi
}

# add_import FILE PATTERN: into the array of imports, or after the version, which stands above every table.
add_import() {
  awk -v import="$2" -v mark="$mark" -v was="$was" '
    function ours() { return "\"" import "\"" }
    FNR == NR { if (/^[ \t]*\[/) tables = 1; if (!tables && /^imports[ \t]*=/) had = 1; next }
    FNR == 1 { tables = 0 }
    /^[ \t]*\[/ { tables = 1 }
    !tables && had && /^imports[ \t]*=[ \t]*\[[ \t]*$/ { print; print "  " ours() ", " mark; next }
    !tables && had && /^imports[ \t]*=[ \t]*\[/ {
      print was $0; sub(/\[/, "[" ours() ", "); sub(/[ \t]*(#.*)?$/, " " mark); print; next
    }
    { print }
    !tables && !had && /^version[ \t]*=/ { print "imports = [" ours() "] " mark }' "$1" "$1"
}

# add_config_path FILE PLUGIN FOLDER: into CRI's table of registries, which is made if there is none.
add_config_path() {
  awk -v plugin="$2" -v folder="$3" -v mark="$mark" -v was="$was" '
    function is_table(line) {
      sub(/[ \t]*(#.*)?$/, "", line); gsub(/^[ \t]+/, "", line); gsub(/\047/, "\"", line)
      return line == "[plugins.\"" plugin "\".registry]"
    }
    function ours() { return "  config_path = \"" folder "\" " mark }
    FNR == NR { if (/^[ \t]*\[/) inside = is_table($0); if (inside) { found = 1; if (/^[ \t]*config_path[ \t]*=/) had = 1 } next }
    FNR == 1 { inside = 0 }
    /^[ \t]*\[/ { inside = is_table($0) }
    inside && /^[ \t]*config_path[ \t]*=/ { print was $0; print ours(); next }
    { print }
    inside && !had && is_table($0) { print ours() }
    END { if (!found) { print "[plugins.\"" plugin "\".registry] " mark; print ours() } }' "$1" "$1"
}
