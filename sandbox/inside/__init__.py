"""What runs inside a jail; imports little, as each import is paid by every slot."""
