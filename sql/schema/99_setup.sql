SELECT imgpress_internal.warn_of_setup();
