-- Checks JSON bodies before Envoy translates them. Envoy would drop fields that a message does not have, take the last of
-- two equal ones, and accept some text that is not JSON. Here all of these are refused.
--
-- MESSAGES (generated from the protos, see bodies.py) has the fields of each message by their names in JSON, in both
-- spellings. A field is {its name, the name of its message}; the second is nil for text, numbers and free JSON.
--
-- The functions take the text and a position in it, and return the position after what they have checked. They look at
-- single bytes because LuaJIT compiles that, and does not compile patterns: a body of 1 MiB takes a tenth of the time.

local MAX_DEPTH = 64
local MAX_SHOWN = 200
local byte, match, sub = string.byte, string.match, string.sub
local OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = 123, 125, 91, 93
local QUOTE, BACKSLASH, COMMA, COLON = 34, 92, 44, 58
local trail = {} -- the names and indexes that lead to where we are
local value

local function refuse(text)
  error({ text = text })
end

local function malformed(at)
  refuse("the body is not valid JSON at byte " .. at)
end

local function refuse_name(depth, name, text)
  trail[depth] = name
  local path = ""
  for level = 1, depth do
    local part = trail[level]
    path = path .. (type(part) == "number" and "[" .. part .. "]" or (level > 1 and "." or "") .. part)
  end
  refuse(sub(path, 1, MAX_SHOWN) .. ": " .. text)
end

local function skip_space(json, at)
  local found = byte(json, at)
  while found == 32 or found == 10 or found == 13 or found == 9 do
    at = at + 1
    found = byte(json, at)
  end
  return at, found
end

local function quoted(json, at)
  while true do
    at = at + 1
    local found = byte(json, at) or malformed(at)
    if found == QUOTE then
      return at + 1
    elseif found == BACKSLASH then
      at = (match(json, '^["\\/bfnrt]()', at + 1) or match(json, "^u%x%x%x%x()", at + 1) or malformed(at)) - 1
    elseif found < 32 then
      malformed(at)
    end
  end
end

-- Returns a name with its escapes resolved, as far as they can spell the same name in two ways.
local function plain(name)
  if not string.find(name, "\\", 1, true) then
    return name
  end
  local resolved = string.gsub(name, "\\u(%x%x%x%x)", function(digits)
    local code = tonumber(digits, 16)
    return code >= 32 and code < 127 and code ~= QUOTE and code ~= BACKSLASH and string.char(code)
      or "\\u" .. string.lower(digits)
  end)
  return (string.gsub(resolved, "\\/", "/"))
end

-- Checks the name of a member of an object, and returns the message that the member must be, if any.
local function member(fields, name, seen, depth)
  local field = fields and fields[name]
  if fields and not field then
    refuse_name(depth, name, "there is no such field")
  end
  local key = field and field[1] or name
  if seen[key] then
    refuse_name(depth, name, "the field is given twice")
  end
  seen[key] = true
  trail[depth] = name
  return field and field[2]
end

local function object(json, at, message, depth)
  local fields, seen, found = MESSAGES[message], {}, nil
  at, found = skip_space(json, at + 1)
  if found == CLOSE_OBJECT then
    return at + 1
  end
  while true do
    if found ~= QUOTE then
      malformed(at)
    end
    local stop = quoted(json, at)
    local inner = member(fields, plain(sub(json, at + 1, stop - 2)), seen, depth)
    at, found = skip_space(json, stop)
    if found ~= COLON then
      malformed(at)
    end
    at = skip_space(json, at + 1)
    at, found = skip_space(json, value(json, at, inner, depth + 1))
    if found == CLOSE_OBJECT then
      return at + 1
    elseif found ~= COMMA then
      malformed(at)
    end
    at, found = skip_space(json, at + 1)
  end
end

local function array(json, at, message, depth)
  local found
  at, found = skip_space(json, at + 1)
  if found == CLOSE_ARRAY then
    return at + 1
  end
  local index = 0
  while true do
    trail[depth] = index
    at, found = skip_space(json, value(json, at, message, depth + 1))
    if found == CLOSE_ARRAY then
      return at + 1
    elseif found ~= COMMA then
      malformed(at)
    end
    at, index = skip_space(json, at + 1), index + 1
  end
end

local function digits(json, at)
  local from, found = at, byte(json, at)
  while found and found >= 48 and found <= 57 do
    at = at + 1
    found = byte(json, at)
  end
  return at > from and at or malformed(at), found
end

local function number(json, at)
  local found = byte(json, at)
  if found == 45 then
    at = at + 1
    found = byte(json, at)
  end
  if found == 48 then
    at = at + 1
    found = byte(json, at)
  else
    at, found = digits(json, at)
  end
  if found == 46 then
    at, found = digits(json, at + 1)
  end
  if found == 69 or found == 101 then
    found = byte(json, at + 1)
    at = digits(json, (found == 43 or found == 45) and at + 2 or at + 1)
  end
  return at
end

value = function(json, at, message, depth)
  if depth > MAX_DEPTH then
    refuse("the body has more than " .. MAX_DEPTH .. " levels")
  end
  local found = byte(json, at)
  if found == OPEN_OBJECT then
    return object(json, at, message, depth)
  elseif found == OPEN_ARRAY then
    return array(json, at, message, depth)
  elseif found == QUOTE then
    return quoted(json, at)
  elseif found == 116 or found == 102 or found == 110 then
    return match(json, "^true()", at) or match(json, "^false()", at) or match(json, "^null()", at) or malformed(at)
  end
  return number(json, at)
end

local function check(json, message)
  local at, found = skip_space(json, 1)
  if found ~= OPEN_OBJECT then
    refuse("the body must be a JSON object")
  end
  at = skip_space(json, object(json, at, message, 1))
  if at <= #json then
    malformed(at)
  end
end

function envoy_on_request(request)
  local message = request:metadata():get("message")
  local body = message and request:body()
  if not body or body:length() == 0 then
    return
  end
  local fine, problem = pcall(check, body:getBytes(0, body:length()), message)
  if not fine then
    request:respond({ [":status"] = "400" }, problem.text or "the body cannot be read")
  end
end
