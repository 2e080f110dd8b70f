// Values as text that is the same in every session: dates in ISO style, times in UTC, and so on.
#pragma once

namespace imgpress {

// Calls `print`, in which PostgreSQL's output functions write so; also restores the settings of the
// session after an error.
void with_plain_output(void (*print)(void*), void* arg);

}  // namespace imgpress
