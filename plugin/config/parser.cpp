// From TOML to a Config: walks the parsed document, hands each leaf to its key, and collects what is wrong.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "plugin/base/files.h"
#include "plugin/base/text.h"
#include "plugin/config/config.h"
#include "plugin/config/keys.h"
#include "plugin/config/value.h"

namespace paceline::config {
namespace {

constexpr std::size_t kMaxFileBytes = 1U << 20U;
// A damaged or foreign file should not fill the log.
constexpr std::size_t kMaxErrors = 20;

bool starts_with_table(std::string_view name, std::string_view table) {
  return name.size() > table.size() && name.starts_with(table) && name[table.size()] == '.';
}

// TOML takes [a.b.c] apart at its dots.
constexpr std::string_view kQuoteHint = "Quote a host that holds dots: [concurrency.registry.\"ghcr.io\"]";

// host[:port], loosely: the registry client has the full grammar; here a typing mistake should show.
bool looks_like_host(std::string_view host) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]";
  return !host.empty() && host.size() <= 255 && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

class Parser {
 public:
  explicit Parser(const std::string& file) : file_(file) {}

  Result<Config> run(const toml::table& document) {
    walk(document, "");
    // Overrides start from the complete [concurrency], wherever in the file that stands.
    for (const auto& [host, table] : registry_tables_) {
      Concurrency merged = config_.concurrency;
      read_registry(std::string(kRegistryTables) + "." + in_quotes(host), *table, merged);
      config_.concurrency_by_registry.emplace(host, merged);
    }
    check_streams("concurrency", config_.concurrency);
    for (const auto& [host, own] : config_.concurrency_by_registry) {
      check_streams(std::string(kRegistryTables) + "." + in_quotes(host), own);
    }
    if (!errors_.empty()) return fail(Code::kInvalidArgument, joined());
    return std::move(config_);
  }

 private:
  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix.empty() ? std::string(key.str()) : prefix + "." + std::string(key.str());
      const auto line = key.source().begin.line;
      if (name == "version") {
        if (node.value_exact<std::int64_t>() != 1) error(line, "version: must be 1, the only one this daemon knows");
      } else if (name == kRegistryTables) {
        collect_registries(node, line);
      } else if (const auto* known = find(name)) {
        lines_[name] = line;
        if (auto status = known->read(config_, node); !status) error(line, name + ": " + status.error().message);
      } else if (is_table(name)) {
        if (const auto* inner = node.as_table()) {
          walk(*inner, name);
        } else {
          error(line, fmt::format("{0}: is a table: write [{0}]", name));
        }
      } else {
        error(line, unknown(name));
      }
    }
  }

  void collect_registries(const toml::node& node, toml::source_index line) {
    const auto* hosts = node.as_table();
    if (hosts == nullptr) return error(line, fmt::format("{0}: is a table: write [{0}.\"HOST\"]", kRegistryTables));
    for (const auto& entry : *hosts) {
      const std::string_view host = entry.first.str();
      const std::string name = fmt::format("{}.{}", kRegistryTables, in_quotes(host));
      const auto at = entry.first.source().begin.line;
      if (!looks_like_host(host)) {
        error(at, name + ": is not a registry: write host or host:port");
      } else if (const auto* table = entry.second.as_table()) {
        registry_tables_.emplace_back(host, table);
      } else if (std::ranges::find(concurrency_keys(), host, &Key<Concurrency>::name) != concurrency_keys().end()) {
        error(at, fmt::format("{}: needs a registry in front: write [{}.\"HOST\"]", name, kRegistryTables));
      } else {
        error(at, fmt::format("{}: must be a table. {}", name, kQuoteHint));
      }
    }
  }

  void read_registry(const std::string& name, const toml::table& table, Concurrency& into) {
    for (const auto& [key, node] : table) {
      const auto line = key.source().begin.line;
      const auto known = std::ranges::find(concurrency_keys(), key.str(), &Key<Concurrency>::name);
      if (known == concurrency_keys().end()) {
        std::vector<std::string> names;
        for (const auto& own : concurrency_keys()) names.push_back(own.name);
        const std::string near = nearest_word(key.str(), names);
        error(line, unknown_text(fmt::format("{}.{}", name, key.str()), near) +
                        (node.is_table() ? fmt::format(" ({})", kQuoteHint) : ""));
      } else {
        lines_[name + "." + known->name] = line;
        if (auto status = known->read(into, node); !status) {
          error(line, name + "." + known->name + ": " + status.error().message);
        }
      }
    }
  }

  void check_streams(const std::string& table, const Concurrency& own) {
    if (own.mode != ConcurrencyMode::kFixed || own.streams <= own.max_streams) return;
    // Two keys that do not go together, one of them perhaps inherited: the line is of what this table has of them.
    toml::source_index line = 0;
    for (const char* key : {".mode", ".max_streams", ".streams"}) {
      if (const auto at = lines_.find(table + key); at != lines_.end()) line = at->second;
    }
    if (line == 0) return;  // All of it is [concurrency]'s, of which it is said.
    error(line, table + ".streams: " + std::to_string(own.streams) + " is above max_streams, " +
                    std::to_string(own.max_streams));
  }

  static const Key<Config>* find(std::string_view name) {
    const auto at = std::ranges::find(keys(), name, &Key<Config>::name);
    return at == keys().end() ? nullptr : &*at;
  }

  static bool is_table(std::string_view name) {
    return std::ranges::any_of(keys(), [&](const auto& key) { return starts_with_table(key.name, name); });
  }

  static std::string unknown(const std::string& name) {
    std::vector<std::string> names;
    for (const auto& key : keys()) {
      names.push_back(key.name);
      // A key in the wrong table: its own name is right, which says more than the spelling of the whole.
      if (key.name.substr(key.name.rfind('.') + 1) == name.substr(name.rfind('.') + 1))
        return unknown_text(name, key.name);
    }
    const auto dot = name.rfind('.');
    const bool in_table = dot != std::string::npos && is_table(name.substr(0, dot));
    for (const auto& key : keys()) {
      const std::string table = key.name.substr(0, key.name.rfind('.'));
      if (!in_table && table != key.name && table != names.back()) names.push_back(table);
    }
    return unknown_text(name, nearest_word(name, names));
  }

  static std::string unknown_text(const std::string& name, const std::string& near) {
    return name + ": unknown key" +
           (near.empty() ? "; `pacelined config default` lists all" : "; did you mean " + near + "?");
  }

  void error(toml::source_index line, const std::string& text) { errors_.emplace_back(line, text); }

  std::string joined() {
    std::ranges::stable_sort(errors_, {}, &std::pair<toml::source_index, std::string>::first);
    std::string out;
    for (std::size_t i = 0; i < std::min(errors_.size(), kMaxErrors); ++i) {
      const auto& [line, text] = errors_[i];
      out += (out.empty() ? "" : "\n") + file_ + (line > 0 ? ":" + std::to_string(line) : "") + ": " + text;
    }
    if (errors_.size() > kMaxErrors) out += "\nand " + std::to_string(errors_.size() - kMaxErrors) + " more";
    return out;
  }

  const std::string& file_;
  Config config_;
  std::vector<std::pair<std::string, const toml::table*>> registry_tables_;
  std::map<std::string, toml::source_index> lines_;  // Of the keys that the file has.
  std::vector<std::pair<toml::source_index, std::string>> errors_;
};

}  // namespace

Result<Config> parse(std::string_view toml, const std::string& file_name) try {
  const toml::table document = toml::parse(toml, file_name);
  return Parser(file_name).run(document);
} catch (const toml::parse_error& error) {
  const auto& at = error.source().begin;
  return fail(Code::kInvalidArgument, file_name + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                                          ": " + std::string(error.description()));
}

Result<Config> load(const std::filesystem::path& file) {
  const auto text = read_file(file, kMaxFileBytes);
  if (!text) return fail(text.error());
  return parse(*text, file.native());
}

}  // namespace paceline::config
