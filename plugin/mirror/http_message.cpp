#include "plugin/mirror/http_message.h"

#include <nlohmann/json.hpp>

namespace paceline::mirror {

Response error_response(int status, const std::string& code, const std::string& message) {
  const nlohmann::json body = {{"errors", {{{"code", code}, {"message", message}}}}};
  Response response;
  response.status = status;
  response.headers.set("Content-Type", "application/json");
  response.body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  return response;
}

}  // namespace paceline::mirror
