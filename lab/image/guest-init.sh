#!/bin/busybox sh
# shellcheck shell=dash
# First process of the Linux guest: each line that comes in on its second serial port is run by a shell, and the answer goes back there.
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
stty -F /dev/ttyS1 raw -echo
exec < /dev/ttyS1 > /dev/ttyS1 2>&1
echo "guest is up"
while read -r number command; do
  echo "begin $number"
  eval "$command" < /dev/null
  echo "end $number $?"
done
