-- Says that a stream is one: Envoy sends lines of JSON, and calls them JSON.
function envoy_on_response(response)
  local headers = response:headers()
  if headers:get(":status") == "200" then
    headers:replace("content-type", "application/x-ndjson")
  end
end
