"""What clinics look at: sleep statistics of whole nights, transitions, and groups of subjects."""
