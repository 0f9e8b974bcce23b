#include "plugin/snapshots/id_mapping.h"

#include <charconv>
#include <cstdint>

#include "plugin/base/text.h"

namespace paceline::snapshots {
namespace {

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::uint32_t> host_id_of_root(const Labels& labels, const char* label) {
  const auto found = labels.find(label);
  if (found == labels.end()) return fail(Code::kInvalidArgument, std::string("label ") + label + " is missing");
  std::optional<std::uint32_t> root;
  for (const auto entry : split(found->second, ',')) {
    const auto parts = split(entry, ':');
    const auto inside = parts.size() == 3 ? number(parts[0]) : std::nullopt;
    const auto outside = parts.size() == 3 ? number(parts[1]) : std::nullopt;
    const auto count = parts.size() == 3 ? number(parts[2]) : std::nullopt;
    if (!inside || !outside || !count) {
      return fail(Code::kInvalidArgument,
                  std::string("label ") + label + ": '" + std::string(entry) + "' must be container:host:count");
    }
    if (*inside == 0 && *count > 0 && !root) root = *outside;
  }
  if (!root) return fail(Code::kInvalidArgument, std::string("label ") + label + " does not map the container's root");
  return *root;
}

}  // namespace

Result<std::optional<Owner>> mapped_root(const Labels& labels) {
  if (!labels.contains(kUserMappingLabel) && !labels.contains(kGroupMappingLabel)) return std::optional<Owner>();
  const auto user = host_id_of_root(labels, kUserMappingLabel);
  if (!user) return fail(user.error());
  const auto group = host_id_of_root(labels, kGroupMappingLabel);
  if (!group) return fail(group.error());
  return std::optional(Owner{*user, *group});
}

}  // namespace paceline::snapshots
