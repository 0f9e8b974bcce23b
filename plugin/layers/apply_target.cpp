#include "plugin/layers/apply_target.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace paceline::layers {
namespace {

auto unknown(const std::string& what) {
  return fail(Code::kUnimplemented, "pacelined applies no layer to " + what + ": containerd's own differ does");
}

Result<ApplyTarget> bind_target(const containerd::types::Mount& mount) {
  for (const auto& option : mount.options()) {
    if (option != "rw" && option != "rbind" && option != "bind") return unknown("a bind mount with option " + option);
  }
  return ApplyTarget{mount.source(), {}};
}

/// Of options that do not change what an upper folder holds.
bool is_harmless(std::string_view option) {
  constexpr std::array<std::string_view, 5> kHarmless = {"rw", "index=off", "index=on", "metacopy=off", "volatile"};
  return option.starts_with("workdir=") || std::ranges::find(kHarmless, option) != kHarmless.end();
}

Result<ApplyTarget> overlay_target(const containerd::types::Mount& mount) {
  constexpr std::string_view kUpper = "upperdir=";
  constexpr std::string_view kLower = "lowerdir=";
  ApplyTarget target;
  for (const std::string_view option : mount.options()) {
    if (option.starts_with(kUpper)) {
      target.upper = option.substr(kUpper.size());
    } else if (option.starts_with(kLower)) {
      std::string_view rest = option.substr(kLower.size());
      // Escaped colons, and lower layers of data only.
      if (rest.find('\\') != std::string_view::npos || rest.find("::") != std::string_view::npos) {
        return unknown("an overlay with such lower folders");
      }
      while (!rest.empty()) {
        const auto end = std::min(rest.find(':'), rest.size());
        target.lowers.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    } else if (!is_harmless(option)) {
      return unknown("an overlay with option " + std::string(option));
    }
  }
  // Without lower folders it is a layer that is rebased later: what lies below is not known.
  if (target.lowers.empty()) return unknown("an overlay without lower folders");
  return target;
}

}  // namespace

Result<ApplyTarget> apply_target(const google::protobuf::RepeatedPtrField<containerd::types::Mount>& mounts) {
  if (mounts.size() != 1) return unknown(std::to_string(mounts.size()) + " mounts");
  const auto& mount = mounts.Get(0);
  auto target = mount.type() == "bind"      ? bind_target(mount)
                : mount.type() == "overlay" ? overlay_target(mount)
                                            : Result<ApplyTarget>(unknown("a mount of type " + mount.type()));
  if (!target) return target;
  const auto is_absolute = [](const std::filesystem::path& path) { return path.is_absolute(); };
  if (!is_absolute(target->upper) || !std::ranges::all_of(target->lowers, is_absolute)) {
    return unknown("relative folders");
  }
  return target;
}

}  // namespace paceline::layers
