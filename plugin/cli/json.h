// The shape of --output json: our own field names, documented in docs/cli.md and kept stable. Every field is always
// there; what is not known is null. Pure functions, any thread.
#pragma once

#include <nlohmann/json.hpp>

#include "paceline/v1/paceline.pb.h"

namespace paceline::cli {

using Json = nlohmann::ordered_json;

[[nodiscard]] Json to_json(const v1::Pull& pull);
[[nodiscard]] Json to_json(const v1::Blob& blob);
[[nodiscard]] Json to_json(const v1::Usage& usage);
[[nodiscard]] Json to_json(const v1::VerifyBlobsEvent& event);
[[nodiscard]] Json to_json(const v1::Pinned& pin);
[[nodiscard]] Json to_json(const v1::EvictResponse& response);
[[nodiscard]] Json to_json(const v1::Path& path);
[[nodiscard]] Json to_json(const v1::Version& version);

/// One line, without its end; bytes that are no UTF-8 are replaced.
[[nodiscard]] std::string to_line(const Json& json);

/// "fetching", "prefetch", "hidden": the words of tables and JSON.
[[nodiscard]] std::string_view word(v1::PullState state);
[[nodiscard]] std::string_view word(v1::UnpackState state);
[[nodiscard]] std::string_view word(v1::PullSource source);
[[nodiscard]] std::string_view word(v1::Visibility visibility);

}  // namespace paceline::cli
