// In a file of its own, since the Content-Security-Policy allows no inline script.
if (window.SwaggerUIBundle) {
  SwaggerUIBundle({ url: "openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
}
