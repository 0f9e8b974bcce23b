#include "plugin/oci/reference.h"

#include <algorithm>

#include "plugin/base/text.h"

namespace paceline::oci {
namespace {

constexpr std::string_view kDefaultRegistry = "docker.io";
constexpr std::string_view kLegacyRegistry = "index.docker.io";
constexpr std::size_t kMaxNameLength = 255;  // distribution/reference, NameTotalLengthMax
constexpr std::size_t kMaxTagLength = 128;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool is_alphanumeric(char c) { return is_lower(c) || is_upper(c) || is_digit(c); }

std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 120)) out.push_back(c >= ' ' && c < 0x7f ? c : '?');
  return out + (text.size() > 120 ? "…'" : "'");
}

auto refused(std::string message) { return fail(Code::kInvalidArgument, std::move(message)); }

bool valid_host_label(std::string_view label) {
  return !label.empty() && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

bool valid_host(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    const auto address = host.substr(1, host.size() - 2);
    return address.find(':') != std::string_view::npos &&
           std::all_of(address.begin(), address.end(), [](char c) { return is_hex(c) || c == ':'; });
  }
  const auto labels = split(host, '.');
  return std::all_of(labels.begin(), labels.end(), valid_host_label);
}

// path-component := [a-z0-9]+ ( ("." | "_" | "__" | "-"+) [a-z0-9]+ )*
bool valid_path_component(std::string_view text) {
  std::size_t i = 0;
  for (;;) {
    const std::size_t word = i;
    while (i < text.size() && (is_lower(text[i]) || is_digit(text[i]))) ++i;
    if (i == word) return false;
    if (i == text.size()) return true;
    const std::size_t separator = i;
    while (i < text.size() && text[i] == text[separator]) ++i;
    const std::size_t count = i - separator;
    const char c = text[separator];
    if (!(c == '-' || (c == '.' && count == 1) || (c == '_' && count <= 2))) return false;
  }
}

// Docker's rule: the first component is a registry only if it could not be a Docker Hub user name.
bool names_registry(std::string_view component) {
  return component.find_first_of(".:") != std::string_view::npos || component == "localhost" ||
         std::any_of(component.begin(), component.end(), is_upper);
}

}  // namespace

Status Reference::check_registry(std::string_view registry) {
  std::string_view host = registry;
  const auto bracket = registry.rfind(']');
  const auto colon = registry.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    host = registry.substr(0, colon);
    const auto port = registry.substr(colon + 1);
    unsigned number = 0;
    for (const char c : port.substr(0, 6)) number = is_digit(c) ? number * 10 + static_cast<unsigned>(c - '0') : 65536;
    if (port.empty() || port.size() > 5 || number > 65535 || number == 0) {
      return refused("registry " + in_quotes(registry) + " has an invalid port: expected 1 to 65535");
    }
  }
  if (registry.size() > kMaxNameLength || !valid_host(host)) {
    return refused("registry " + in_quotes(registry) + " is not a host name: expected host[:port] or [IPv6][:port]");
  }
  return {};
}

Status Reference::check_repository(std::string_view repository) {
  if (repository.empty()) return refused("the repository name is empty");
  if (repository.size() > kMaxNameLength) {
    return refused("repository name " + in_quotes(repository) + " is longer than 255 characters");
  }
  if (std::any_of(repository.begin(), repository.end(), is_upper)) {
    return refused("repository name " + in_quotes(repository) + " must be lower case: try " +
                   in_quotes(to_lower(repository)));
  }
  for (const auto component : split(repository, '/')) {
    if (!valid_path_component(component)) {
      return refused("repository name " + in_quotes(repository) + " is invalid at " + in_quotes(component) +
                     ": use lower-case letters and digits, joined by '.', '_', '__' or '-', between slashes");
    }
  }
  return {};
}

Status Reference::check_tag(std::string_view tag) {
  const bool valid = !tag.empty() && tag.size() <= kMaxTagLength && tag.front() != '.' && tag.front() != '-' &&
                     std::all_of(tag.begin(), tag.end(),
                                 [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
  if (valid) return {};
  return refused("tag " + in_quotes(tag) +
                 " is invalid: use at most 128 letters, digits, '_', '.' and '-', not '.' or '-' first");
}

Result<Reference> Reference::parse(std::string_view text) {
  const auto whole = [&](const Error& error) { return fail(error.context("image reference " + in_quotes(text))); };
  if (text.empty()) return refused("the image reference is empty: expected e.g. docker.io/library/redis:7");
  if (text.find("://") != std::string_view::npos) {
    return refused("image reference " + in_quotes(text) +
                   " is a URL: write it without the scheme, e.g. docker.io/library/redis:7");
  }
  if (text.size() == 64 &&
      std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); })) {
    return refused("image reference " + in_quotes(text) +
                   " is 64 hexadecimal digits, which is an image ID: name a repository, with @sha256:… for a digest");
  }

  Reference out;
  std::string_view name = text;
  if (const auto at = name.find('@'); at != std::string_view::npos) {
    auto digest = Digest::parse(name.substr(at + 1));
    if (!digest) return whole(digest.error());
    out.digest = *digest;
    name = name.substr(0, at);
  }
  const auto slash = name.rfind('/');
  if (const auto colon = name.rfind(':');
      colon != std::string_view::npos && (slash == std::string_view::npos || colon > slash)) {
    out.tag = std::string(name.substr(colon + 1));
    if (auto status = check_tag(out.tag); !status) return whole(status.error());
    name = name.substr(0, colon);
  }
  if (out.tag.empty() && !out.digest) out.tag = "latest";

  const auto first_slash = name.find('/');
  if (first_slash != std::string_view::npos && names_registry(name.substr(0, first_slash))) {
    out.registry = std::string(name.substr(0, first_slash));
    name = name.substr(first_slash + 1);
  } else {
    out.registry = std::string(kDefaultRegistry);
  }
  if (auto status = check_registry(out.registry); !status) return whole(status.error());
  if (out.registry == kLegacyRegistry) out.registry = std::string(kDefaultRegistry);
  out.repository = std::string(name);
  if (out.registry == kDefaultRegistry && name.find('/') == std::string_view::npos && !name.empty()) {
    out.repository.insert(0, "library/");
  }
  if (auto status = check_repository(out.repository); !status) return whole(status.error());
  return out;
}

std::string Reference::object() const { return digest ? digest->to_string() : tag; }

std::string Reference::to_string() const {
  return registry + "/" + repository + (tag.empty() ? std::string() : ":" + tag) +
         (digest ? "@" + digest->to_string() : std::string());
}

}  // namespace paceline::oci
