"""The trainer core, shared with imagegan. It knows neither tokens nor pixels."""
