#include "plugin/registry/credential_helper.h"

#include "plugin/base/subprocess.h"
#include "plugin/oci/json.h"

namespace paceline::registry {
namespace {

constexpr std::size_t kMaxOutputBytes = 256U << 10U;
constexpr std::string_view kNotFound = "credentials not found";  // docker-credential-helpers' own words.

}  // namespace

Result<std::optional<HelperAnswer>> CredentialHelper::get(const std::string& name, const std::string& server) const {
  const bool plain =
      !name.empty() && name.size() <= 64 &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == std::string::npos;
  if (!plain)
    return fail(Code::kInvalidArgument,
                "the name of a credential helper holds other characters than letters, digits, '.', '_', '-'");
  const std::string program = "docker-credential-" + name;
  const std::string path = find_program(program, search_path_);
  if (path.empty()) {
    return fail(Code::kUnauthenticated, "credential helper " + program +
                                            " is not on the daemon's PATH: install it, or remove it from config.json");
  }
  auto done = run_program({.path = path, .arguments = {"get"}, .input = server}, timeout_, kMaxOutputBytes);
  if (!done) return fail(done.error().context("credential helper " + program));
  if (!done->succeeded()) {
    if (done->output.find(kNotFound) != std::string::npos) return std::nullopt;
    return fail(Code::kUnauthenticated, "credential helper " + program + " failed for " + server + " (" + done->how() +
                                            "): run it by hand to see why");
  }
  auto answer = oci::parse_json_object(done->output, "the answer of credential helper " + program);
  if (!answer) return fail(answer.error());
  HelperAnswer out{oci::string_member(*answer, "Username"), Secret(oci::string_member(*answer, "Secret"))};
  if (out.secret.empty()) return std::nullopt;
  return out;
}

}  // namespace paceline::registry
