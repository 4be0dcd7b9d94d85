"""Operations: status, health, decay, parked rows."""
