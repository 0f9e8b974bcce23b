// Tells systemd how the daemon is (sd_notify(3)); without systemd nothing happens. Any thread.
#pragma once

#include <string>

namespace paceline::daemon {

void notify_ready(const std::string& status);
void notify_reloading();
void notify_stopping();

}  // namespace paceline::daemon
