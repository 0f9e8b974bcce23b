// Refusals: what a registry said when it did not answer 200, in words without secrets. Pure functions, any thread.
#pragma once

#include <string>
#include <string_view>

#include "plugin/registry/repository.h"

namespace paceline::registry {

inline constexpr std::size_t kMaxRefusalBytes = 64U << 10U;

/// Nobody answered, or what came was unusable.
Refusal refusal_of(Error error);
/// `name`: the redacted URL. Of the body only an error code of the distribution specification gets into the words: the
/// rest could repeat the request's credentials.
Refusal refusal_of(net::HttpResponse response, const std::string& name);

/// How much a refusal tells; the heaviest of all endpoints' is passed on, the later of two equal ones.
int weight(const Refusal& refusal);

/// All WWW-Authenticate fields as one value (RFC 9110 §5.3).
std::string join_challenges(const net::Headers& headers);

/// Text from outside, cut and made printable for a message.
std::string printable(std::string_view text);

/// A path a mirror's client asks for stays inside its repository.
Status check_path(std::string_view path);

}  // namespace paceline::registry
